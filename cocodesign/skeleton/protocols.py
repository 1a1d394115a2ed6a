"""Which clips train and which test: the published protocols."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from cocodesign.skeleton.readers import motion_capture, msr_action3d, ntu, sbu
from cocodesign.skeleton.sequences import Origin, SkeletonDataset

Key = Literal["subject", "view", "setup", "recording"]


@dataclass(frozen=True)
class Fold:
    """One division of a data set.

    Attributes:
        name: What is tested on.
        train: Indices of the clips to learn from.
        test: Indices of the clips to be judged on.
    """

    name: str
    train: tuple[int, ...]
    test: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.train or not self.test:
            raise ValueError(
                f"fold {self.name!r} has {len(self.train)} clips to train and "
                f"{len(self.test)} to test: the data set is not complete"
            )


def official_folds(dataset: SkeletonDataset) -> tuple[Fold, ...]:
    """Return the protocol that a data set's literature reports by default.

    * ``sbu``: the five official folds;
    * ``utkinect``: leave one recording out, twenty folds. The literature's "LOOCV"
      leaves one sequence out; a sequence here is a whole recording of ten actions, so
      that no clip of it is learnt from;
    * ``nw_ucla``: cross-view, the third view tests;
    * ``msr_action3d``: cross-subject, subjects of even numbers test;
    * ``hdm05``: cross-subject, ``mm`` and ``tr`` test;
    * ``ntu``: cross-subject and cross-view;
    * ``pose_kit``: leave one of five blocks out.

    Args:
        dataset: As ``read_skeletons`` gives it.

    Returns:
        The folds.

    Raises:
        ValueError: If the data set is another one, or incomplete.
    """
    match dataset.name:
        case "sbu":
            return tuple(
                _fold(
                    dataset, f"fold {number}", lambda o, pairs=pairs: o.subject in pairs
                )
                for number, pairs in enumerate(sbu.FOLDS, start=1)
            )
        case "utkinect":
            return leave_one_out(dataset, "recording")
        case "nw_ucla":
            return (_fold(dataset, "cross_view", lambda o: o.view == "v03"),)
        case "msr_action3d":
            return (
                _fold(dataset, "cross_subject", lambda o: int(o.subject[1:]) % 2 == 0),
            )
        case "hdm05":
            known = motion_capture.TRAINING_SUBJECTS
            return (_fold(dataset, "cross_subject", lambda o: o.subject not in known),)
        case "ntu":
            return ntu_folds(dataset)
        case "pose_kit":
            return leave_one_out(dataset, "setup")
    raise ValueError(
        f"data set {dataset.name!r} has no official protocol here: give folds, such as "
        "those of leave_one_out"
    )


def ntu_folds(dataset: SkeletonDataset) -> tuple[Fold, ...]:
    """Return cross-subject, and cross-view or, for 120 classes, cross-setup.

    Args:
        dataset: NTU RGB+D or NTU RGB+D 120.

    Returns:
        Two folds. Cross-setup trains on the setups of even numbers.
    """
    subjects, views = ntu.TRAINING_SUBJECTS, ntu.TRAINING_VIEWS
    by_subject = _fold(dataset, "cross_subject", lambda o: o.subject not in subjects)
    if len(dataset.class_names) > 60:
        other = _fold(dataset, "cross_setup", lambda o: int(o.setup[1:]) % 2 == 1)
    else:
        other = _fold(dataset, "cross_view", lambda o: o.view not in views)
    return by_subject, other


def action_set(dataset: SkeletonDataset, name: str) -> SkeletonDataset:
    """Return the clips of AS1, AS2 or AS3 of MSR Action3D.

    Args:
        dataset: MSR Action3D.
        name: Of the set.

    Returns:
        The clips; labels keep their meaning.

    Raises:
        ValueError: If there is no such set.
    """
    if name not in msr_action3d.ACTION_SETS:
        raise ValueError(
            f"action set {name!r}: {[*msr_action3d.ACTION_SETS]} are known"
        )
    numbers = msr_action3d.ACTION_SETS[name]
    return dataset.subset(
        [
            index
            for index, clip in enumerate(dataset.sequences)
            if clip.label is not None and clip.label + 1 in numbers
        ]
    )


def leave_one_out(dataset: SkeletonDataset, key: Key | None) -> tuple[Fold, ...]:
    """Return one fold per value of an origin's attribute, which it tests on.

    Args:
        dataset: The clips.
        key: The attribute; ``None`` leaves out one clip at a time.

    Returns:
        The folds, in the order of the values.
    """
    if key is None:
        everything = range(len(dataset))
        return tuple(
            Fold(clip.name, tuple(i for i in everything if i != index), (index,))
            for index, clip in enumerate(dataset.sequences)
        )
    attribute: str = key
    values = sorted({getattr(clip.origin, attribute) for clip in dataset.sequences})
    return tuple(
        _fold(dataset, value, lambda o, value=value: getattr(o, attribute) == value)
        for value in values
    )


def named_split(dataset: SkeletonDataset, train: str, test: str) -> Fold:
    """Return the division that an annotation file of pyskl names.

    Args:
        dataset: As ``read_skeletons`` gives it for a ``.pkl`` file.
        train: Name of the split to learn from, such as ``xsub_train``.
        test: Name of the split to be judged on.

    Returns:
        The fold; clips of neither split are in none of its halves.
    """
    splits = [clip.origin.setup.split(",") for clip in dataset.sequences]
    halves = [
        tuple(index for index, names in enumerate(splits) if half in names)
        for half in (train, test)
    ]
    return Fold(test, halves[0], halves[1])


def inner_folds(folds: Iterable[Fold]) -> tuple[Fold, ...]:
    """Return folds to choose settings by: the tests of ``folds`` are left out.

    Each fold's training clips are divided again, by what the next fold tests on. No
    clip of a fold's own test set is in its inner fold.

    Args:
        folds: At least two folds of one data set.

    Returns:
        As many folds.

    Raises:
        ValueError: If there is only one fold, whose training clips nothing divides.
    """
    outer = list(folds)
    if len(outer) == 1:
        raise ValueError("one fold has no inner folds: divide its training clips first")
    result = []
    for index, fold in enumerate(outer):
        following = outer[(index + 1) % len(outer)]
        validation = tuple(i for i in following.test if i in set(fold.train))
        rest = tuple(i for i in fold.train if i not in set(validation))
        result.append(Fold(f"{fold.name}, inner", rest, validation))
    return tuple(result)


def _fold(
    dataset: SkeletonDataset, name: str, is_test: Callable[[Origin], bool]
) -> Fold:
    tests = [is_test(clip.origin) for clip in dataset.sequences]
    train = tuple(index for index, test in enumerate(tests) if not test)
    return Fold(name, train, tuple(index for index, test in enumerate(tests) if test))
