"""Other people's optimizers as contenders; each is an optional install.

Boxes are centred on the values that the peers' documentation or papers recommend and
reach a factor of ten or so to both sides. Second-order peers refresh their curvature as
often as ours; everything else is as their authors set it.
"""

import contextlib
import importlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from benchmarks.kfac.adapters import (
    FlattenedMuon,
    GradientMakerSGD,
    PreconditionedSGD,
    Together,
    backward_of_gradient_maker,
)
from benchmarks.kfac.protocol import PEERS_MAX_STEPS
from cocodesign.studies import Contender
from cocodesign.studies.designs import Box, Setting
from cocodesign.training.loop import Backward, backpropagate

_WARMUP = (0, 20)
_FIRST_ORDER_MOMENTUM = (0.8, 0.98)
_MUON_BOX = Box((3e-3, 0.3), _FIRST_ORDER_MOMENTUM, _WARMUP)
_SOAP_BOX = Box((1e-3, 0.1), (0.7, 0.95), _WARMUP)
_SHAMPOO_BOX = Box((1e-2, 1.0), _FIRST_ORDER_MOMENTUM, _WARMUP)
# The box of our K-FAC, with smaller learning rates where no clipping bounds a step.
_SECOND_ORDER_BOX = Box((0.01, 1.0), (0.5, 0.9), (0, 8), damping=(3e-4, 0.1))
_ADAMW_RATE = 0.01  # of what Muon and SINGD do not train


@dataclass(frozen=True)
class Peer:
    """A contender that may not be installed.

    Attributes:
        name: Its name.
        module: What must be importable.
        box: The settings that may be chosen.
        build: Makes the optimizer, given the module and the refresh interval.
        is_second_order: Whether it estimates curvature from single examples, as we do.
        backward: What computes its gradients.
    """

    name: str
    module: str
    box: Box
    build: Callable[[ModuleType, nn.Module, Setting, int], Optimizer]
    is_second_order: bool = False
    backward: Backward = backpropagate

    def contender(
        self, num_trials: int, *, seed: int, factor_interval: int
    ) -> Contender | None:
        """Return the contender, ``None`` if the peer is not installed."""
        with _nvtx_stubbed():
            try:
                module = importlib.import_module(self.module)
            except ImportError:
                return None

        def build(model: nn.Module, setting: Setting) -> Optimizer:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what a peer does not cover
                return self.build(module, model, setting, factor_interval)

        return Contender(
            self.name,
            self.box.settings(num_trials, seed),
            build,
            self.backward,
            max_steps=PEERS_MAX_STEPS if self.is_second_order else None,
        )


def _build_muon(
    _: ModuleType, model: nn.Module, setting: Setting, _interval: int
) -> Optimizer:
    matrices = [each for each in model.parameters() if each.dim() > 1]
    others = [each for each in model.parameters() if each.dim() <= 1]
    return Together(
        FlattenedMuon(matrices, lr=setting.learning_rate, momentum=setting.momentum),
        AdamW(others, lr=_ADAMW_RATE, weight_decay=0.0),
    )


def _build_soap(
    module: ModuleType, model: nn.Module, setting: Setting, interval: int
) -> Optimizer:
    return module.SOAP(
        model.parameters(),
        lr=setting.learning_rate,
        betas=(setting.momentum, 0.95),
        weight_decay=0.0,
        precondition_frequency=interval,
    )


def _build_shampoo(
    module: ModuleType, model: nn.Module, setting: Setting, interval: int
) -> Optimizer:
    return module.Shampoo(
        model.parameters(),
        lr=setting.learning_rate,
        momentum=setting.momentum,
        preconditioning_compute_steps=interval,
    )


def _build_asdl(
    module: ModuleType, model: nn.Module, setting: Setting, interval: int
) -> Optimizer:
    model.to(memory_format=torch.contiguous_format)  # it fails on channels last
    config = module.PreconditioningConfig(
        damping=setting.damping,
        ema_decay=0.5,
        curvature_upd_interval=interval,
        preconditioner_upd_interval=interval,
    )
    maker = module.KfacGradientMaker(model, config, fisher_type="fisher_emp")
    return GradientMakerSGD(
        model, maker, lr=setting.learning_rate, momentum=setting.momentum
    )


def _build_singd(
    module: ModuleType, model: nn.Module, setting: Setting, interval: int
) -> Optimizer:
    covered = [
        parameter
        for layer in model.modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)
        for parameter in layer.parameters()
    ]
    ids = {id(parameter) for parameter in covered}
    others = [each for each in model.parameters() if id(each) not in ids]
    singd = module.SINGD(
        model,
        params=covered,
        lr=setting.learning_rate,
        momentum=setting.momentum,
        damping=setting.damping,
        T=interval,
        normalize_lr_cov=True,
    )
    return Together(singd, AdamW(others, lr=_ADAMW_RATE, weight_decay=0.0))


def _build_kfac_pytorch(
    module: ModuleType, model: nn.Module, setting: Setting, interval: int
) -> Optimizer:
    optimizer = PreconditionedSGD(
        list(model.parameters()), lr=setting.learning_rate, momentum=setting.momentum
    )
    # It fails on channels last and on in-place activations.
    model.to(memory_format=torch.contiguous_format)
    for layer in model.modules():
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    optimizer.preconditioner = module.KFACPreconditioner(
        model,
        factor_update_steps=interval,
        inv_update_steps=interval,
        damping=setting.damping,
        lr=lambda _step: optimizer.param_groups[0]["lr"],
    )
    return optimizer


PEERS = (
    Peer("Muon", "torch", _MUON_BOX, _build_muon),
    Peer("SOAP", "pytorch_optimizer", _SOAP_BOX, _build_soap),
    Peer("Shampoo", "pytorch_optimizer", _SHAMPOO_BOX, _build_shampoo),
    Peer(
        "ASDL",
        "asdl",
        _SECOND_ORDER_BOX,
        _build_asdl,
        is_second_order=True,
        backward=backward_of_gradient_maker,
    ),
    Peer(
        "SINGD",
        "singd.optim.optimizer",
        _SECOND_ORDER_BOX,
        _build_singd,
        is_second_order=True,
    ),
    Peer(
        "kfac-pytorch",
        "kfac.preconditioner",
        _SECOND_ORDER_BOX,
        _build_kfac_pytorch,
        is_second_order=True,
    ),
)


@contextlib.contextmanager
def _nvtx_stubbed() -> Iterator[None]:
    """Let ASDL's profiling ranges do nothing where torch has no CUDA."""
    yield
    if not torch.cuda.is_available():
        torch.cuda.nvtx.range_push = lambda _message: None
        torch.cuda.nvtx.range_pop = lambda: None
