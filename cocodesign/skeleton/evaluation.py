"""Training and judging by a protocol, over several seeds.

The last epoch is judged, never the best one, and nothing is chosen by a test clip.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import torch

from cocodesign.seeding import random_stream, seeded_globally
from cocodesign.skeleton.damage import Damage, standard_damages
from cocodesign.skeleton.fitting import Recipe, fit
from cocodesign.skeleton.outcomes import Answer, Evaluation
from cocodesign.skeleton.preparation import prepare_all
from cocodesign.skeleton.protocols import Fold, official_folds
from cocodesign.skeleton.recognizer import NUM_FRAMES, Recognizer
from cocodesign.skeleton.sequences import SkeletonDataset
from cocodesign.skeleton.variants import Variant, build_variant, num_parameters


def cross_validate(
    dataset: SkeletonDataset,
    *,
    seeds: Sequence[int],
    folds: Sequence[Fold] | None = None,
    variant: Variant = "fine_to_coarse",
    recipe: Recipe = Recipe(),  # noqa: B008 - a frozen value
    damages: Mapping[str, Damage] | None = None,
    device: torch.device | str = "cpu",
    report: Callable[[str], None] | None = None,
    on_trained: Callable[[Recognizer, Fold], None] | None = None,
) -> Evaluation:
    """Train a network per seed and fold, and judge it on the fold's test clips.

    Args:
        dataset: Labelled clips.
        seeds: At least one; a seed decides everything that chance decides.
        folds: The divisions; those of the data set's own protocol if ``None``.
        variant: The network, or one of its ablations.
        recipe: How to train, the same for all.
        damages: What is done to test clips in addition, by name; the network is not
            trained again. ``None`` stands for ``standard_damages``.
        device: Where to train.
        report: Is told a line about every fold.
        on_trained: Is given every trained network with its fold.

    Returns:
        Every answer of every network.

    Raises:
        ValueError: If there is no seed or fold.
    """
    chosen_folds = official_folds(dataset) if folds is None else tuple(folds)
    if not seeds or not chosen_folds:
        raise ValueError("cross_validate needs at least one seed and one fold")
    num_persons = min(2, dataset.num_persons)
    clips = prepare_all(
        dataset.sequences, num_frames=NUM_FRAMES, num_persons=num_persons
    ).to(device)
    labels = dataset.labels.to(device)
    if damages is None:
        damages = standard_damages(dataset.layout)
    answers: list[Answer] = []
    size, training_s = 0, 0.0
    for seed in seeds:
        for fold in chosen_folds:
            started = time.perf_counter()
            train = torch.tensor(fold.train, device=clips.device)
            with seeded_globally(seed, f"weights {fold.name}"):
                network = build_variant(
                    variant,
                    dataset.layout,
                    len(dataset.class_names),
                    num_persons=num_persons,
                    generator=random_stream(seed, "parts"),
                ).to(device)
                fit(
                    network,
                    clips[train],
                    labels[train],
                    dataset.layout,
                    recipe,
                    seed=seed,
                )
            fold_s = time.perf_counter() - started
            training_s += fold_s
            size = num_parameters(network)
            recognizer = Recognizer(network, dataset.layout, dataset.class_names)
            if on_trained is not None:
                on_trained(recognizer, fold)
            found = _answers(recognizer, dataset, fold, seed, damages)
            answers += found
            if report is not None:
                right = [each.is_right for each in found if not each.damage]
                report(
                    f"{dataset.name}, {variant}, seed {seed}, {fold.name}: "
                    f"{sum(right)} of {len(right)} right, {fold_s:.1f} s"
                )
    return Evaluation(
        dataset=dataset.name,
        variant=variant,
        num_classes=len(dataset.class_names),
        num_parameters=size,
        training_s=training_s,
        answers=tuple(answers),
    )


def _answers(
    recognizer: Recognizer,
    dataset: SkeletonDataset,
    fold: Fold,
    seed: int,
    damages: Mapping[str, Damage],
) -> list[Answer]:
    tested = dataset.subset(fold.test)
    labels = tested.labels.tolist()
    answers = []
    for name, damage in {"": None, **damages}.items():
        generator = random_stream(seed, f"{fold.name} without {name}")
        sequences = [
            damage(each, generator) if damage else each for each in tested.sequences
        ]
        given = recognizer.probabilities(sequences).argmax(dim=1).tolist()
        answers += [
            Answer(seed, fold.name, clip, label, answer, name)
            for clip, label, answer in zip(fold.test, labels, given, strict=True)
        ]
    return answers
