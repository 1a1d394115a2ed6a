"""WordNet's files: a hand-made piece, and the real ones where they are."""

import pytest

from cocodesign.data.fetching import cached_dataset
from cocodesign.errors import DataFormatError, DataUnavailableError
from cocodesign.events.wordnet import WordNet


@pytest.fixture
def folder(wordnet_folder):
    return wordnet_folder


@pytest.fixture
def wordnet(folder):
    return WordNet(folder)


def test_finds_senses_with_words_gloss_and_hypernyms(wordnet):
    pet, sausage = wordnet.senses("dog")
    assert (pet.words, pet.gloss) == (("dog", "domestic dog"), "a pet")
    assert sausage.hypernyms == ()  # ~ points down
    (animal,) = wordnet.senses("animal")
    assert pet.hypernyms == (animal.name,)
    assert list(wordnet.hypernyms(pet.name)) == [(1, animal)]
    assert (wordnet.depth(pet.name), wordnet.depth(animal.name)) == (1, 0)


@pytest.mark.parametrize("word", ["dogs", "Dog", "canines", "domestic  dogs"])
def test_finds_the_lemma_of_a_form(word, wordnet):
    assert wordnet.senses(word)[0].words[0] == "dog"


def test_verbs_have_forms_of_their_own(wordnet):
    assert wordnet.senses("ran", "v") == wordnet.senses("runs", "v")
    assert wordnet.senses("ran") == ()
    with pytest.raises(ValueError, match="'a'"):
        wordnet.senses("fast", "a")


@pytest.mark.parametrize("word", ["", "zebra", "aardvark", "1", "do", "This"])
def test_an_unknown_word_has_no_sense(word, wordnet):
    assert wordnet.senses(word) == ()


@pytest.mark.parametrize("name", ["n00000001", "dog", "a00000001", "n99999999"])
def test_refuses_a_name_that_is_no_synsets(name, wordnet):
    with pytest.raises(ValueError, match=name):
        wordnet.synset(name)


def test_names_the_file_that_is_missing(folder):
    (folder / "verb.exc").unlink()
    with pytest.raises(DataFormatError, match=r"verb\.exc"):
        WordNet(folder)


@pytest.mark.slow
def test_the_real_files_know_dogs():
    try:
        wordnet = WordNet(cached_dataset("wordnet"))
    except DataUnavailableError:
        pytest.skip("the data set wordnet is not in the cache")
    dog = wordnet.synset("n02084071")
    assert dog.words == ("dog", "domestic dog", "Canis familiaris")
    assert dog == wordnet.senses("dogs")[0]
    assert len(wordnet.senses("dog")) == 7
    kinds = [up.words[0] for _, up in wordnet.hypernyms(dog.name)]
    assert {"canine", "domestic animal", "entity"} <= set(kinds)
    assert wordnet.senses("mice")[0].words[0] == "mouse"
    assert wordnet.senses("geese")[0].words[0] == "goose"
