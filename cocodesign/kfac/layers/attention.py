"""Multi-head attention, taken apart into its four linear maps."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from cocodesign.kfac.layers.tap import Tap

# The linear maps of an attention layer.
QUERY, KEY, VALUE, OUT = "query", "key", "value", "out"


def attend(
    module: nn.MultiheadAttention,
    tap: Tap,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,  # noqa: FBT001, FBT002 (torch's)
    attn_mask: Tensor | None = None,
    average_attn_weights: bool = True,  # noqa: FBT001, FBT002 (torch's)
    is_causal: bool = False,  # noqa: FBT001, FBT002 (torch's)
) -> tuple[Tensor, Tensor | None]:
    """Compute what the layer's ``forward`` does, and show its linear maps.

    The layer multiplies with its weights inside one function, ``out_proj`` included,
    where no hook sees it. Here the projections stand outside; between them that same
    function runs with the identity as every projection, so that masks, dropout and
    whatever else it knows stay its own.

    Args:
        module: The layer.
        tap: Is shown the maps ``query``, ``key``, ``value`` and ``out``.
        query: As for ``forward``, like all that follow.
        key: See there.
        value: See there.
        key_padding_mask: See there.
        need_weights: See there.
        attn_mask: See there.
        average_attn_weights: See there.
        is_causal: See there.

    Returns:
        What ``forward`` returns, up to rounding.
    """
    is_batched = query.ndim == 3
    swaps = module.batch_first and is_batched
    inputs = [query, key, value]
    if swaps:
        inputs = [each.transpose(0, 1) for each in inputs]
    elif not is_batched:
        inputs = [each.unsqueeze(1) for each in inputs]
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    projected: list[Tensor] = []
    for name, x, (weight, bias) in zip(
        (QUERY, KEY, VALUE), inputs, _projections(module), strict=True
    ):
        output = functional.linear(x, weight, bias)
        tap(name, x, output, 1)
        projected.append(output)
    q, k, v = projected
    identity = torch.eye(module.embed_dim, dtype=query.dtype, device=query.device)
    context, weights = functional.multi_head_attention_forward(
        q,
        k,
        v,
        module.embed_dim,
        module.num_heads,
        None,
        None,
        module.bias_k,
        module.bias_v,
        module.add_zero_attn,
        module.dropout,
        identity,
        None,
        training=module.training,
        key_padding_mask=key_padding_mask,
        need_weights=need_weights,
        attn_mask=attn_mask,
        use_separate_proj_weight=True,
        q_proj_weight=identity,
        k_proj_weight=identity,
        v_proj_weight=identity,
        average_attn_weights=average_attn_weights,
        is_causal=is_causal,
    )
    output = functional.linear(context, module.out_proj.weight, module.out_proj.bias)
    tap(OUT, context, output, 1)
    if swaps:
        output = output.transpose(0, 1)
    elif not is_batched:
        output = output.squeeze(1)
        weights = None if weights is None else weights.squeeze(0)
    return output, weights


def _projections(
    module: nn.MultiheadAttention,
) -> list[tuple[Tensor, Tensor | None]]:
    """Return weight and bias that make query, key and value."""
    packed = module.in_proj_weight
    weights = (
        packed.chunk(3)
        if packed is not None
        else (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
    )
    bias = module.in_proj_bias
    biases = (None, None, None) if bias is None else bias.chunk(3)
    return list(zip(weights, biases, strict=True))
