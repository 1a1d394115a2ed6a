"""A rule only calls the command line."""

import re
from pathlib import Path

from cocodesign.project import find_project

SNAKEFILE = find_project(Path(__file__).parent).workflow / "Snakefile"


def test_every_rule_calls_the_command_line_and_nothing_computes() -> None:
    text = SNAKEFILE.read_text()
    rules = re.split(r"^rule \w+:$", text, flags=re.MULTILINE)[1:]
    for rule in rules:
        assert not re.search(r"^    (run|script|notebook):", rule, flags=re.MULTILINE)
        shell = rule.partition("shell:")[2].strip()
        assert not shell or shell.startswith('"{COCODESIGN} ')
    assert len(rules) == 4


def test_every_step_keeps_a_log() -> None:
    text = SNAKEFILE.read_text()
    assert text.count("log:") == text.count("shell:") == 3
