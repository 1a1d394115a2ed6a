from pathlib import Path

import pytest

from cocodesign import project
from cocodesign.errors import ProjectNotFoundError
from cocodesign.project import find_project


def make_clone(root: Path, name: str = "cocodesign") -> Path:
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    return root


def test_finds_the_clone_from_a_folder_inside_it(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone")
    deep = clone / "notebooks" / "parameters"
    deep.mkdir()
    assert find_project(deep).root == clone


def test_passes_over_another_project_on_the_way_up(tmp_path: Path) -> None:
    clone = make_clone(tmp_path)
    other = make_clone(tmp_path / "other", name="other")
    assert find_project(other).root == clone


def test_says_where_it_looked_when_there_is_no_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "__file__", str(tmp_path / "site" / "x" / "y.py"))
    with pytest.raises(ProjectNotFoundError, match=str(tmp_path)):
        find_project(tmp_path)


def test_passes_over_a_broken_settings_file(tmp_path: Path) -> None:
    clone = make_clone(tmp_path)
    broken = make_clone(tmp_path / "broken")
    (broken / "pyproject.toml").write_text("[project")
    assert find_project(broken).root == clone
