"""Videos made on the spot, a bank and an encoder of colours, clips without videos."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from cocodesign.events.banks import BankOutput, Concept
from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.pooling import PooledClips
from cocodesign.models import TextEncoder

_LICENCE = "  1 This software and database is being provided to you.  \n"
COLOURS = {"red": 0, "green": 1, "blue": 2}


class ColourBank:
    """Sees how red, green and blue the middle of a frame is."""

    name = "colours"
    num_features = 4

    def __init__(self) -> None:
        self.concepts = [Concept(name) for name in COLOURS]
        self.num_calls = 0

    def __call__(self, frame: torch.Tensor) -> BankOutput:
        self.num_calls += 1
        height, width = frame.shape[:2]
        pixel = frame[height // 2, width // 2].float() / 255
        return BankOutput(pixel, torch.cat([pixel, torch.ones(1)]))


class ColourEncoder(TextEncoder):
    """Knows what colours are in a text, and nothing else; needs no weights."""

    def __init__(self) -> None:
        self.num_texts = 0

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        self.num_texts += len(texts)
        vectors = torch.zeros(len(texts), 384)
        for row, text in enumerate(texts):
            for name, axis in COLOURS.items():
                vectors[row, axis] = float(name in text)
            vectors[row, 3] = 0.1  # no vector is zero
        return vectors / vectors.norm(dim=1, keepdim=True)


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def colour_space(encoder: ColourEncoder) -> ConceptSpace:
    """Return the space of the three colours."""
    names = encoder.encode(list(COLOURS)).numpy()
    return ConceptSpace(tuple(Concept(name) for name in COLOURS), names, names, encoder)


@pytest.fixture
def wordnet_folder(tmp_path: Path) -> Path:
    """Animal, dog (two words) and a second sense of dog; the verb run."""
    rows = [
        ("animal", "03 n 01 animal 0 000 | a living thing"),
        ("dog", "05 n 02 dog 0 domestic_dog 0 001 @ {animal} n 0000 | a pet; \"bark\""),
        ("frank", "13 n 01 dog 1 001 ~ {animal} n 0000 | a sausage"),
    ]  # fmt: skip
    data, places = _LICENCE, {}
    for name, row in rows:
        places[name] = f"{len(data.encode()):08}"
        data += f"{places[name]} {row.format(**places)}  \n"
    index = "".join(
        [
            _LICENCE,
            f"animal n 1 0 1 1 {places['animal']}  \n",
            f"dog n 2 1 @ 2 1 {places['dog']} {places['frank']}  \n",
            f"domestic_dog n 1 1 @ 1 0 {places['dog']}  \n",
        ]
    )
    verb = _LICENCE + f"{len(_LICENCE):08} 38 v 01 run 0 000 00 | move fast  \n"
    folder = tmp_path / "wordnet"
    folder.mkdir()
    (folder / "data.noun").write_text(data)
    (folder / "index.noun").write_text(index)
    (folder / "noun.exc").write_text("canines dog\noxen ox\n")
    (folder / "data.verb").write_text(verb)
    (folder / "index.verb").write_text(f"{_LICENCE}run v 1 0 1 1 {len(_LICENCE):08}\n")
    (folder / "verb.exc").write_text("ran run\n")
    return folder


@pytest.fixture
def bank() -> ColourBank:
    return ColourBank()


@pytest.fixture
def write_video(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that encodes plain colours, one a frame."""
    av = pytest.importorskip("av")

    def write(
        name: str,
        colours: Sequence[str],
        *,
        rate: Fraction | int = 1,
        size: tuple[int, int] = (64, 48),
    ) -> Path:
        path = tmp_path / name
        width, height = size
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=rate)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for colour in colours:
                pixels = np.zeros((height, width, 3), np.uint8)
                pixels[..., COLOURS[colour]] = 255
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture
def make_clips() -> Callable[..., PooledClips]:
    """Return a function that makes clips, some concepts raised in the first ones."""

    def make(
        num: int,
        *,
        raised: Sequence[int] = (),
        num_raised: int = 0,
        shift: float = 0.0,
        seed: int = 0,
    ) -> PooledClips:
        random = np.random.default_rng(seed)
        logs = random.normal(-6, 0.7, size=(num, 40))
        logs[:num_raised, list(raised)] += 5
        features = random.normal(size=(num, 24))
        features[:num_raised, 0] += shift
        peaks = np.exp(logs).clip(0, 1).astype(np.float32)
        return PooledClips(
            tuple(f"clip{seed}-{n}" for n in range(num)),
            peaks,
            peaks / 2,
            (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(
                np.float32
            ),
        )

    return make
