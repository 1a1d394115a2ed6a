"""WordNet's files: a hand-made piece, and the real ones where they are."""

import pytest

from cocodesign.data.fetching import cached_dataset
from cocodesign.errors import DataFormatError, DataUnavailableError
from cocodesign.events.wordnet import WordNet

LICENCE = "  1 This software and database is being provided to you.  \n"


@pytest.fixture
def folder(tmp_path):
    """Animal, dog (two words) and a second sense of dog; the verb run."""
    rows = [
        ("animal", "03 n 01 animal 0 000 | a living thing"),
        ("dog", "05 n 02 dog 0 domestic_dog 0 001 @ {animal} n 0000 | a pet; \"bark\""),
        ("frank", "13 n 01 dog 1 001 ~ {animal} n 0000 | a sausage"),
    ]  # fmt: skip
    data, places = LICENCE, {}
    for name, row in rows:
        places[name] = f"{len(data.encode()):08}"
        data += f"{places[name]} {row.format(**places)}  \n"
    index = "".join(
        [
            LICENCE,
            f"animal n 1 0 1 1 {places['animal']}  \n",
            f"dog n 2 1 @ 2 1 {places['dog']} {places['frank']}  \n",
            f"domestic_dog n 1 1 @ 1 0 {places['dog']}  \n",
        ]
    )
    verb = LICENCE + f"{len(LICENCE):08} 38 v 01 run 0 000 00 | move fast  \n"
    (tmp_path / "data.noun").write_text(data)
    (tmp_path / "index.noun").write_text(index)
    (tmp_path / "noun.exc").write_text("canines dog\noxen ox\n")
    (tmp_path / "data.verb").write_text(verb)
    (tmp_path / "index.verb").write_text(f"{LICENCE}run v 1 0 1 1 {len(LICENCE):08}\n")
    (tmp_path / "verb.exc").write_text("ran run\n")
    return tmp_path


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
