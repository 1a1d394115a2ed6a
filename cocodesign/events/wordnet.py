"""WordNet: senses of words, their glosses, and what is a kind of what.

A sense is a synset: words that mean one thing. Its name here is ``n02084071``, the part
of speech and the place in the data file of WordNet 3.0, which is also what ImageNet
calls its classes. The files are searched, not loaded: an index of 5 MB would be parsed
for a handful of look-ups. Source: wndb(5WN), senseidx(5WN), morphy(7WN).
"""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cocodesign.errors import DataFormatError

_FILES = {"n": "noun", "v": "verb"}
_POINTERS_UP = ("@", "@i")  # hypernym, instance hypernym
# morphy(7WN): endings of inflected forms, and of their lemmas
_ENDINGS = {
    "n": (
        ("s", ""),
        ("ses", "s"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "v": (
        ("s", ""),
        ("ies", "y"),
        ("es", "e"),
        ("es", ""),
        ("ed", "e"),
        ("ed", ""),
        ("ing", "e"),
        ("ing", ""),
    ),
}
_NAME = re.compile(r"[nv]\d{8}")


@dataclass(frozen=True)
class Synset:
    """One meaning.

    Attributes:
        name: Part of speech and eight digits.
        words: The words that have this meaning, the commonest first.
        gloss: What it means, without the examples.
        hypernyms: Names of what it is a kind or an instance of.
    """

    name: str
    words: tuple[str, ...]
    gloss: str
    hypernyms: tuple[str, ...]


class WordNet:
    """The nouns and verbs of WordNet 3.0.

    Args:
        folder: Holds ``index.noun``, ``data.noun``, ``noun.exc`` and the verbs' files.

    Raises:
        DataFormatError: If a file is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._maps: dict[str, mmap.mmap] = {}
        for kind in _FILES.values():
            for name in (f"index.{kind}", f"data.{kind}", f"{kind}.exc"):
                try:
                    with (folder / name).open("rb") as stream:
                        self._maps[name] = mmap.mmap(
                            stream.fileno(), 0, access=mmap.ACCESS_READ
                        )
                except (OSError, ValueError) as error:
                    raise DataFormatError(
                        f"{folder / name} is not there or empty: {error}"
                    ) from error
        self._read: dict[str, Synset] = {}

    def synset(self, name: str) -> Synset:
        """Return a meaning by its name.

        Args:
            name: Part of speech and eight digits.

        Returns:
            The synset.

        Raises:
            ValueError: If the name is malformed or nothing is called so.
        """
        if name not in self._read:
            self._read[name] = self._read_synset(name)
        return self._read[name]

    def senses(self, word: str, part_of_speech: str = "n") -> tuple[Synset, ...]:
        """Return the meanings of a word, the commonest first.

        Args:
            word: One or several words, inflected or not.
            part_of_speech: ``n`` for a noun, ``v`` for a verb.

        Returns:
            The meanings of the word itself, or of the lemma that it is a form of; none
            for a word that WordNet lacks.

        Raises:
            ValueError: If the part of speech is another.
        """
        if part_of_speech not in _FILES:
            raise ValueError(f"part_of_speech must be n or v, got {part_of_speech!r}")
        for lemma in self._lemmas(word, part_of_speech):
            line = self._find(f"index.{_FILES[part_of_speech]}", lemma)
            if line is not None:
                fields = line.split()
                offsets = fields[-int(fields[2]) :]
                return tuple(self.synset(f"{part_of_speech}{each}") for each in offsets)
        return ()

    def hypernyms(self, name: str) -> Iterator[tuple[int, Synset]]:
        """Yield everything that a meaning is a kind of, the nearest first.

        Args:
            name: The synset's name.

        Yields:
            How many steps up, and the synset there, each once.
        """
        seen, level, distance = {name}, [self.synset(name)], 0
        while level:
            distance += 1
            above = [up for each in level for up in each.hypernyms]
            level = [self.synset(up) for up in dict.fromkeys(above) if up not in seen]
            seen.update(each.name for each in level)
            for each in level:
                yield distance, each

    def depth(self, name: str) -> int:
        """Return the length of the longest way up: how special a meaning is.

        Args:
            name: The synset's name.

        Returns:
            0 for ``entity``, about 8 for a dog.
        """
        hypernyms = self.synset(name).hypernyms
        return 1 + max(map(self.depth, hypernyms)) if hypernyms else 0

    def _lemmas(self, word: str, part_of_speech: str) -> Iterator[str]:
        lowered = "_".join(word.lower().split())
        if not lowered:
            return
        yield lowered
        irregular = self._find(f"{_FILES[part_of_speech]}.exc", lowered)
        if irregular is not None:
            yield from irregular.split()[1:]
        for ending, replacement in _ENDINGS[part_of_speech]:
            if lowered.endswith(ending) and len(lowered) > len(ending):
                yield lowered.removesuffix(ending) + replacement

    def _find(self, name: str, key: str) -> str | None:
        """Find the line of a sorted file that starts with a key, by bisection."""
        content, wanted = self._maps[name], key.encode()
        low, high = 0, len(content)
        while low < high:
            start = content.rfind(b"\n", 0, (low + high) // 2) + 1
            end = content.find(b"\n", start)
            end = len(content) if end < 0 else end
            line = content[start:end]
            # The licence at the top is indented, and sorts before every word.
            found = line.split(b" ", 1)[0]
            if found == wanted:
                return line.decode()
            if found < wanted:
                low = end + 1
            else:
                high = start
        return None

    def _read_synset(self, name: str) -> Synset:
        """Read one line of a data file."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"a synset's name is n or v and 8 digits, got {name!r}")
        content = self._maps[f"data.{_FILES[name[0]]}"]
        line = content[int(name[1:]) : content.find(b"\n", int(name[1:]))].decode()
        facts, _, gloss = line.partition(" | ")
        fields = facts.split()
        if not fields or fields[0] != name[1:]:
            raise ValueError(f"no synset is called {name!r}")
        num_words = int(fields[3], 16)
        words = fields[4 : 4 + 2 * num_words : 2]
        pointers = fields[5 + 2 * num_words :]
        up = [
            f"{pointers[at + 2]}{pointers[at + 1]}"
            for at in range(0, 4 * int(fields[4 + 2 * num_words]), 4)
            if pointers[at] in _POINTERS_UP
        ]
        return Synset(
            name=name,
            words=tuple(word.replace("_", " ") for word in words),
            gloss=gloss.split('; "')[0].strip(),
            hypernyms=tuple(up),
        )
