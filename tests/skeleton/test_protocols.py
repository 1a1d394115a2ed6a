from dataclasses import replace

import pytest

from cocodesign.skeleton import SkeletonDataset
from cocodesign.skeleton.protocols import (
    Fold,
    inner_folds,
    leave_one_out,
    named_split,
    official_folds,
)
from cocodesign.skeleton.sequences import Origin


@pytest.fixture
def by_subject(two_moves: SkeletonDataset) -> SkeletonDataset:
    """Return two moves by four subjects."""
    clips = tuple(
        replace(clip, origin=Origin(subject=f"s{index % 4}"))
        for index, clip in enumerate(two_moves.sequences)
    )
    return replace(two_moves, sequences=clips)


def test_leaving_subjects_out_tests_every_clip_once(by_subject) -> None:
    folds = leave_one_out(by_subject, "subject")
    assert [fold.name for fold in folds] == ["s0", "s1", "s2", "s3"]
    assert sorted(i for fold in folds for i in fold.test) == list(range(24))
    for fold in folds:
        assert set(fold.train) | set(fold.test) == set(range(24))
        assert not set(fold.train) & set(fold.test)


def test_leaving_clips_out_makes_a_fold_of_each(by_subject) -> None:
    folds = leave_one_out(by_subject, None)
    assert len(folds) == 24
    assert folds[3].test == (3,)
    assert len(folds[3].train) == 23


def test_inner_folds_never_see_their_outer_test(by_subject) -> None:
    outer = leave_one_out(by_subject, "subject")
    for inner, fold in zip(inner_folds(outer), outer, strict=True):
        assert not (set(inner.train) | set(inner.test)) & set(fold.test)
        assert not set(inner.train) & set(inner.test)
        assert len(inner.train) + len(inner.test) == len(fold.train)


def test_a_single_fold_has_no_inner_folds(by_subject) -> None:
    with pytest.raises(ValueError, match="one fold has no inner folds"):
        inner_folds(leave_one_out(by_subject, "subject")[:1])


def test_a_named_split_takes_the_clips_that_name_it(two_moves) -> None:
    setups = ("xsub_train,xview_val", "xsub_val,xview_train", "xview_train")
    clips = tuple(
        replace(clip, origin=Origin(setup=setup))
        for clip, setup in zip(two_moves.sequences, setups, strict=False)
    )
    fold = named_split(replace(two_moves, sequences=clips), "xsub_train", "xsub_val")
    assert (fold.train, fold.test) == ((0,), (1,))
    with pytest.raises(ValueError, match="0 to test"):
        named_split(replace(two_moves, sequences=clips), "xsub_train", "nothing")


def test_an_unknown_data_set_has_no_protocol(by_subject) -> None:
    with pytest.raises(ValueError, match="'two_moves' has no official protocol"):
        official_folds(by_subject)


def test_an_incomplete_data_set_has_no_fold() -> None:
    with pytest.raises(ValueError, match="0 clips to train"):
        Fold("empty", (), (1,))
