r"""Concepts as vectors: what they are called, what they mean, what they are kinds of.

The vector of a concept with the name ``n``, the gloss ``g`` and the hypernyms ``h_d``
(the one that is ``d`` steps up) is

.. math::
    v = a_n e(n) + a_g e(g) + a_h \sum_{d=1}^{4} 2^{-d} e(h_d),

scaled to length one, with the encoder ``e``. Source: the tree-adapted word vectors of
Inoue & Shinoda (ACM MM 2016). They learn the weights by visual similarity; here they
are fixed, and sentences take the place of words, so that the gloss of the right *sense*
counts: the "groom" that is a man at his wedding has nothing to do with grooming a dog.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocodesign.events.banks import Concept
from cocodesign.events.wordnet import WordNet
from cocodesign.files import write_atomically
from cocodesign.models import TextEncoder

NAME_WEIGHT, GLOSS_WEIGHT, HYPERNYM_WEIGHT = 0.5, 0.25, 0.25
_MAX_STEPS = 4


@dataclass(frozen=True)
class ConceptSpace:
    """The vectors of some concepts, and the encoder that puts events beside them.

    Attributes:
        concepts: What the rows are.
        names: The vectors of the bare names.
        vectors: The vectors with gloss and hypernyms, of length one.
        encoder: Of the texts.
    """

    concepts: tuple[Concept, ...]
    names: NDArray[np.float32]
    vectors: NDArray[np.float32]
    encoder: TextEncoder

    @classmethod
    def build(
        cls,
        concepts: Sequence[Concept],
        wordnet: WordNet,
        encoder: TextEncoder,
        *,
        cache: Path | None = None,
    ) -> "ConceptSpace":
        """Encode concepts.

        Args:
            concepts: With or without a sense in WordNet.
            wordnet: Gives glosses and hypernyms.
            encoder: Of all texts.
            cache: A folder that keeps the vectors; a thousand concepts take some
                seconds.

        Returns:
            The space.
        """
        described = [_describe(each, wordnet) for each in concepts]
        key = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]
        path = cache / f"concepts-{key}.npz" if cache else None
        if path is not None and path.is_file():
            with np.load(path) as stored:
                return cls(tuple(concepts), stored["names"], stored["vectors"], encoder)
        names, vectors = _encode(described, encoder)
        if path is not None:
            content = BytesIO()
            np.savez(content, names=names, vectors=vectors)
            write_atomically(path, content.getvalue())
        return cls(tuple(concepts), names, vectors, encoder)


def _describe(
    concept: Concept, wordnet: WordNet
) -> tuple[str, str, list[tuple[int, str]]]:
    """Return the name, the gloss, and the hypernyms with their distances."""
    if concept.synset is None:
        return concept.name, concept.name, []
    synset = wordnet.synset(concept.synset)
    above = [
        (steps, up.words[0])
        for steps, up in wordnet.hypernyms(concept.synset)
        if steps <= _MAX_STEPS
    ]
    return concept.name, f"{', '.join(synset.words)}: {synset.gloss}", above


def _encode(
    described: Sequence[tuple[str, str, list[tuple[int, str]]]], encoder: TextEncoder
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    texts = list(
        dict.fromkeys(
            text
            for name, gloss, above in described
            for text in (name, gloss, *(up for _, up in above))
        )
    )
    encoded = dict(zip(texts, encoder.encode(texts).numpy(), strict=True))
    names = np.stack([encoded[name] for name, _, _ in described])
    vectors = np.stack(
        [
            NAME_WEIGHT * encoded[name]
            + GLOSS_WEIGHT * encoded[gloss]
            + HYPERNYM_WEIGHT * sum(2.0**-steps * encoded[up] for steps, up in above)
            for name, gloss, above in described
        ]
    )
    return names, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
