import pytest
import torch

from cocodesign.skeleton import FineToCoarse, JointLayout, Recognizer, SkeletonDataset
from cocodesign.skeleton.fitting import Recipe


@pytest.mark.gpu
def test_a_gpu_gives_the_scores_of_the_cpu(kinect: JointLayout) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    network = FineToCoarse(kinect, 5).eval()
    clips = torch.randn(4, 4, 32, 20, 1)
    clips[:, 3] = 1
    expected = network(clips)
    actual = network.cuda()(clips.cuda()).cpu()
    assert torch.allclose(actual, expected, atol=1e-4)


@pytest.mark.gpu
def test_trains_on_a_gpu_and_answers_on_the_cpu(two_moves: SkeletonDataset) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    recognizer = Recognizer.train(
        two_moves, recipe=Recipe(num_epochs=25, mini_batch_size=8), device="cuda"
    )
    answers = recognizer.probabilities(two_moves.sequences)
    assert answers.device.type == "cpu"
    assert answers.argmax(dim=1).equal(two_moves.labels)
