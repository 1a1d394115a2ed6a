import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cocodesign.collectives import Communicator, local_communicator
from cocodesign.collectives.memory import run_in_memory
from cocodesign.kfac.distributed import (
    pack_triangle,
    share_from_owners_,
    sum_at_owners,
    unpack_triangle,
)

SHAPES = [(3,), (2, 2), (0,), (1,), (4, 1)]
DTYPES = [torch.float32, torch.float64, torch.float32, torch.float64, torch.float32]


def tensors_of(rank: int) -> list[Tensor]:
    return [
        torch.full(shape, float(10 * rank + index), dtype=dtype)
        for index, (shape, dtype) in enumerate(zip(SHAPES, DTYPES, strict=True))
    ]


@pytest.mark.parametrize("owners", [[0, 1, 2, 0, 1], [2] * 5, [1, 1, 0, 0, 0]])
def test_each_owner_gets_the_sum_of_its_tensors_alone(owners: list[int]) -> None:
    results = run_in_memory(3, lambda c: sum_at_owners(tensors_of(c.rank), owners, c))
    for rank, sums in enumerate(results):
        for index, (owner, total) in enumerate(zip(owners, sums, strict=True)):
            if owner != rank:
                assert total is None
                continue
            expected = torch.full(SHAPES[index], 30.0 + 3 * index, dtype=DTYPES[index])
            assert total is not None
            assert torch.equal(total, expected)


def test_what_an_owner_shares_is_what_all_have() -> None:
    owners = [0, 1, 2, 0, 1]

    def share(communicator: Communicator) -> list[Tensor]:
        tensors = tensors_of(communicator.rank)
        tensors[1] = tensors[1].t()  # not contiguous
        share_from_owners_(tensors, owners, communicator)
        return tensors

    for tensors in run_in_memory(3, share):
        for index, tensor in enumerate(tensors):
            assert torch.equal(tensor, tensors_of(owners[index])[index])


def test_a_single_rank_keeps_what_it_has() -> None:
    alone, tensors = local_communicator(), tensors_of(0)
    sums = sum_at_owners(tensors, [0] * 5, alone)
    share_from_owners_(tensors, [0] * 5, alone)
    for total, tensor, expected in zip(sums, tensors, tensors_of(0), strict=True):
        assert total is not None
        assert torch.equal(total, expected)
        assert torch.equal(tensor, expected)
    assert sum_at_owners([], [], alone) == []


@given(st.integers(1, 40))
def test_a_symmetric_matrix_survives_packing(size: int) -> None:
    half = torch.arange(float(size * size)).view(size, size)
    symmetric = half + half.t()
    packed = pack_triangle(symmetric)
    assert packed.numel() == size * (size + 1) // 2
    assert torch.equal(unpack_triangle(packed), symmetric)


def test_refuses_what_is_no_triangle() -> None:
    with pytest.raises(ValueError, match="5 elements are no triangle"):
        unpack_triangle(torch.ones(5))
