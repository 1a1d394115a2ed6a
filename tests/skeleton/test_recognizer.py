import numpy as np
import pytest
import torch

from cocodesign.errors import RecognizerError
from cocodesign.skeleton import (
    FineToCoarse,
    Recognizer,
    SkeletonDataset,
    SkeletonSequence,
    load_layout,
)
from cocodesign.skeleton.fitting import Recipe
from cocodesign.skeleton.preparation import prepare_all
from cocodesign.skeleton.recognizer import NUM_FRAMES
from cocodesign.skeleton.stream import RecognizerStream


@pytest.fixture
def recognizer(kinect) -> Recognizer:
    """Return a recognizer of chance weights for two persons."""
    with torch.random.fork_rng():
        torch.random.default_generator.manual_seed(0)
        network = FineToCoarse(kinect, 3, num_persons=2).eval()
    return Recognizer(network, kinect, ("a", "b", "c"))


@pytest.mark.slow
def test_learns_what_two_moves_are(two_moves: SkeletonDataset) -> None:
    losses: list[float] = []
    recognizer = Recognizer.train(
        two_moves.subset(range(16)),
        recipe=Recipe(num_epochs=25, mini_batch_size=8),
        report=lambda _epoch, loss: losses.append(loss),
    )
    held_out = two_moves.subset(range(16, 24))
    answers = recognizer.probabilities(held_out.sequences).argmax(dim=1)
    assert answers.equal(held_out.labels)
    assert len(losses) == 25
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
def test_training_is_a_function_of_the_seed(two_moves: SkeletonDataset) -> None:
    def scores(seed: int) -> torch.Tensor:
        recipe = Recipe(num_epochs=1, mini_batch_size=8)
        recognizer = Recognizer.train(two_moves, recipe=recipe, seed=seed)
        return recognizer.probabilities(two_moves.sequences)

    assert scores(0).equal(scores(0))
    assert not scores(0).equal(scores(1))


def test_classes_come_likeliest_first_and_sum_to_one(recognizer, standing) -> None:
    classes = recognizer.classify(standing)
    assert sum(classes.values()) == pytest.approx(1.0, abs=1e-6)
    assert sorted(classes) == ["a", "b", "c"]
    assert list(classes.values()) == sorted(classes.values(), reverse=True)


def test_a_saved_recognizer_gives_the_same_scores(
    recognizer, standing, tmp_path
) -> None:
    path = tmp_path / "model.safetensors"
    recognizer.save(path)
    again = Recognizer.load(path)
    assert again.layout == recognizer.layout
    assert again.class_names == recognizer.class_names
    expected = recognizer.probabilities([standing])
    assert torch.equal(again.probabilities([standing]), expected)


def test_every_damage_of_a_saved_file_is_an_error_of_ours(recognizer, tmp_path) -> None:
    path = tmp_path / "model.safetensors"
    recognizer.save(path)
    content = path.read_bytes()
    other = tmp_path / "other.safetensors"
    for damaged in (b"", content[:7], content[:300], content[:-1], b"x" * 400):
        other.write_bytes(damaged)
        with pytest.raises(RecognizerError):
            Recognizer.load(other)
    with pytest.raises(RecognizerError, match="nothing"):
        Recognizer.load(tmp_path / "nothing")


def test_refuses_clips_of_another_layout(recognizer) -> None:
    clip = SkeletonSequence.of(torch.ones(3, 4, 17, 1), load_layout("coco"))
    with pytest.raises(ValueError, match="has layout coco, the recognizer kinect_v1"):
        recognizer.classify(clip)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the exporter's own
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_exported_network_gives_the_same_scores(recognizer, standing, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    path = tmp_path / "model.onnx"
    recognizer.export_onnx(path)
    session = onnxruntime.InferenceSession(path.read_bytes())
    lost = standing.without_joints(standing.layout.parts["left_arm"])
    for clips in ([standing], [standing, lost, lost]):
        prepared = prepare_all(clips, num_frames=NUM_FRAMES, num_persons=2)
        (scores,) = session.run(None, {"clips": prepared.numpy()})
        expected = recognizer.network(prepared).detach().numpy()
        assert np.abs(scores - expected).max() < 1e-4
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["class_names"] == '["a", "b", "c"]'


def test_a_stream_answers_as_the_clip_of_its_newest_frames(
    recognizer, standing
) -> None:
    stream = RecognizerStream(recognizer, window_frames=8, hop_frames=3)
    answers = {
        frame: classes
        for frame in range(20)
        if (classes := stream.push(standing.positions[:, frame])) is not None
    }
    assert list(answers) == [7, 10, 13, 16, 19]
    window = SkeletonSequence.of(standing.positions[:, 9:17], standing.layout)
    assert answers[16] == pytest.approx(recognizer.classify(window), abs=1e-6)


def test_a_stream_goes_on_when_persons_come_and_go(recognizer, standing) -> None:
    stream = RecognizerStream(recognizer, window_frames=4, hop_frames=1)
    one, nobody = standing.positions[:, 0], torch.full((3, 20, 1), torch.nan)
    answers = [stream.push(each) for each in (one, one.repeat(1, 1, 2), nobody, one)]
    assert answers[-1] is not None


def test_a_stream_needs_two_frames(recognizer: Recognizer) -> None:
    with pytest.raises(ValueError, match="window_frames must be at least 2"):
        RecognizerStream(recognizer, window_frames=1)
