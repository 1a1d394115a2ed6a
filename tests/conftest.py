"""Fixtures for all tests; the network is refused but for this machine itself."""

import socket
from collections.abc import Callable

import pytest
from hypothesis import settings

from cocodesign.provenance import Provenance
from cocodesign.results import Measurement, RunRecord

# A busy machine is no failure; pytest's own time limit ends what hangs.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

_LOOPBACK = ("127.", "localhost", "::1")


@pytest.fixture(autouse=True)
def _refuse_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOOPBACK):
            raise ConnectionRefusedError(f"tests may not reach the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture
def provenance() -> Provenance:
    return Provenance(
        commit="0123456789abcdef",
        dirty=False,
        versions={"torch": "2.14.1"},
        python="3.11.7",
        system="Linux",
        processor="a processor",
        num_cores=2,
    )


@pytest.fixture
def make_record(provenance: Provenance) -> Callable[..., RunRecord]:
    """Return a function that makes a record which measured ``ratio``."""

    def make(
        *ratios: float,
        notebook: str = "10_example",
        profile: str = "laptop",
        finished: str = "2026-01-01T00:00:00+00:00",
    ) -> RunRecord:
        return RunRecord(
            notebook=notebook,
            profile=profile,
            run_id=f"{notebook}-{profile}-{finished}",
            finished=finished,
            duration_s=1.5,
            parameters={"seed": 0, "target_accuracy": 0.8},
            metrics={"ratio": Measurement(values=ratios, unit="x")} if ratios else {},
            tables={},
            provenance=provenance,
        )

    return make
