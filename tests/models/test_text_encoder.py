"""MiniLM on words whose meanings everybody knows."""

import pytest
import torch

from cocodesign.errors import DataFormatError
from cocodesign.models import TextEncoder

pytest.importorskip("tokenizers")


@pytest.fixture(scope="module")
def encoder():
    from cocodesign.data.fetching import cached_dataset
    from cocodesign.errors import DataUnavailableError

    try:
        return TextEncoder(cached_dataset("minilm"))
    except DataUnavailableError:
        pytest.skip("the data set minilm is not in the cache")


@pytest.mark.slow
def test_gives_the_known_similarities(encoder):
    texts = [
        "a dog running in a park",
        "a puppy is playing outside",
        "German shepherd",
        "stock market report",
    ]
    vectors = encoder.encode(texts)
    similarities = (vectors[0] @ vectors.T).tolist()
    assert similarities == pytest.approx([1, 0.51, 0.28, 0.03], abs=0.005)


@pytest.mark.slow
def test_a_text_does_not_depend_on_its_neighbours(encoder):
    texts = ["a cat", "a very long sentence about " + "many things, " * 40, "dog"]
    together = encoder.encode(texts)
    alone = torch.cat([encoder.encode([text]) for text in texts])
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-6)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))


@pytest.mark.slow
def test_cuts_a_text_that_is_too_long_and_takes_none(encoder):
    long = "word " * 2000
    assert encoder.encode([long]).shape == (1, 384)
    assert encoder.encode([]).shape == (0, 384)


def test_says_which_file_is_missing(tmp_path):
    with pytest.raises(DataFormatError, match=r"model\.safetensors"):
        TextEncoder(tmp_path)
