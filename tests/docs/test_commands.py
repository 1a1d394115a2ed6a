"""Every ``cocodesign …`` in the pages is a command that there is."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from cocodesign.cli.main import app
from tests.docs.markdown import PAGES, inline_code, shell_lines
from tests.docs.markdown import ROOT as PROJECT

ROOT = typer.main.get_command(app)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that words lead to, and what is left of them.

    Raises:
        ValueError: If a group has no such command.
    """
    command: Any = ROOT
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            raise ValueError(f"no command {name!r} in {' '.join(words)!r}")
        command = command.commands[name]
    return command, rest


def options_of(command: Any) -> set[str]:
    """Return the names of all options of a command, ``--help`` included."""
    names = {name for each in command.params for name in each.opts}
    return names | {"--help", "-h"}


def unknown_options(words: list[str]) -> list[str]:
    """Return the options in some words that their command does not have."""
    command, rest = command_of(words)
    given = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
    return sorted(set(given) - options_of(command))


def spelled_out(mention: str) -> Iterator[list[str]]:
    """Yield the commands that a mention in a text stands for.

    ``data list|fetch NAME [--verify]`` stands for two; brackets, dots and what is not
    an option say nothing.
    """
    words = re.sub(r"[\[\]…]", " ", mention).split()
    if len(words) > 2 and "|" in words[2]:
        for choice in words[2].split("|"):
            yield [*words[1:2], choice, *words[3:]]
    elif len(words) > 1:
        yield words[1:]


@pytest.mark.parametrize("name", PAGES)
def test_command_lines_parse_as_they_stand(name: str) -> None:
    for line in shell_lines(PAGES[name].read_text(encoding="utf-8")):
        for part in re.split(r"\s[|>;&]+\s", re.sub(r"\s#.*", "", line)):
            words = shlex.split(part)
            if words[:1] != ["cocodesign"]:
                continue
            assert unknown_options(words[1:]) == [], line
            command, rest = command_of(words[1:])
            if "--help" not in rest:
                command.make_context("cocodesign", rest)  # refuses what is missing


@pytest.mark.parametrize("name", PAGES)
def test_commands_in_the_text_have_the_options_that_are_named(name: str) -> None:
    for code in inline_code(PAGES[name].read_text(encoding="utf-8")):
        if code.startswith("cocodesign "):
            for words in spelled_out(code):
                if not words[0].isupper():  # COMMAND stands for any
                    assert unknown_options(words) == [], code


def test_a_command_that_there_is_not_is_found() -> None:
    with pytest.raises(ValueError, match="no command 'fly'"):
        command_of(["data", "fly"])
    assert unknown_options(["run", "10", "--profil=smoke", "-p", "a=1"]) == ["--profil"]


@pytest.mark.parametrize("name", PAGES)
def test_make_has_the_targets_that_are_named(name: str) -> None:
    text = PAGES[name].read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.M)
    for code in [*inline_code(text), *shell_lines(text)]:
        if found := re.match(r"make ([a-z]+)\b", code):
            assert found[1] in targets, code
