"""Vectors of concepts: names, glosses and what is above them."""

import numpy as np
import pytest

from cocodesign.events.banks import Concept
from cocodesign.events.concept_space import ConceptSpace
from cocodesign.events.wordnet import WordNet


@pytest.fixture
def wordnet(wordnet_folder):
    return WordNet(wordnet_folder)


def test_gloss_and_hypernyms_of_the_sense_move_a_vector(encoder, wordnet) -> None:
    pet = wordnet.senses("dog")[0].name
    space = ConceptSpace.build(
        [Concept("red dog", pet), Concept("red")], wordnet, encoder
    )
    with_sense, without = space.vectors
    np.testing.assert_allclose(np.linalg.norm(space.vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(space.names[0], space.names[1])
    # The name is red; the gloss "a pet" and the hypernym "animal" have no colour.
    red, nothing = encoder.encode(["red", "animal"]).numpy()
    expected = 0.5 * red + 0.25 * nothing + 0.25 * nothing / 2
    np.testing.assert_allclose(with_sense, expected / np.linalg.norm(expected))
    np.testing.assert_allclose(without, red, rtol=1e-6)


def test_vectors_are_kept_and_not_encoded_again(encoder, wordnet, tmp_path) -> None:
    concepts = [Concept("red"), Concept("green")]
    first = ConceptSpace.build(concepts, wordnet, encoder, cache=tmp_path)
    count = encoder.num_texts
    again = ConceptSpace.build(concepts, wordnet, encoder, cache=tmp_path)
    assert encoder.num_texts == count
    np.testing.assert_array_equal(first.vectors, again.vectors)
    ConceptSpace.build(concepts[:1], wordnet, encoder, cache=tmp_path)
    assert encoder.num_texts > count  # other concepts are not those that were kept
