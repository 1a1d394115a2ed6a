from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from cocodesign.runner import origin
from cocodesign.runner.origin import origin_digest

VALUES = {"seed": 0, "run_dir": "/a", "rate": 0.1}


def notebook(code: str = "x = 1", text: str = "Why"):
    return new_notebook(cells=[new_markdown_cell(text), new_code_cell(code)])


def test_only_what_a_result_depends_on_changes_the_digest() -> None:
    digest = origin_digest(notebook(), VALUES)
    assert origin_digest(notebook(text="Wherefore"), VALUES) == digest
    assert origin_digest(notebook(), {**VALUES, "run_dir": "/b"}) == digest
    assert origin_digest(notebook(code="x = 2"), VALUES) != digest
    assert origin_digest(notebook(), {**VALUES, "seed": 1}) != digest


def test_a_change_of_the_package_changes_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "part" / "module.py"
    module.parent.mkdir()
    monkeypatch.setattr(origin, "_PACKAGE", tmp_path)
    digests = set()
    for code in ("a = 1", "a = 2"):
        module.write_text(code)
        digests.add(origin_digest(notebook(), VALUES))
    module.rename(tmp_path / "module.py")
    digests.add(origin_digest(notebook(), VALUES))
    monkeypatch.setattr(origin, "_version", lambda _: "0.0")
    digests.add(origin_digest(notebook(), VALUES))
    assert len(digests) == 4
