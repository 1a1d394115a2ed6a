import json
from pathlib import Path

import pytest

from cocodesign.panels.home.serving import folder_in_lab


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the variables of a kernel whose server shows ``clone``."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir()
    (tmp_path / "clone" / "notebooks").mkdir(parents=True)
    note = tmp_path / "runtime" / "jpserver-123.json"
    note.write_text(json.dumps({"root_dir": str(tmp_path / "clone")}))
    return {"JPY_PARENT_PID": "123"}


def test_names_the_place_below_the_folder_that_is_shown(
    tmp_path: Path, server: dict[str, str]
) -> None:
    found = folder_in_lab(tmp_path / "clone" / "notebooks", server)
    assert found == Path("notebooks")


def test_a_folder_that_is_not_shown_has_no_place(
    tmp_path: Path, server: dict[str, str]
) -> None:
    assert folder_in_lab(tmp_path, server) is None


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("environment", [{}, {"JPY_PARENT_PID": "124"}])
def test_who_left_no_note_is_no_jupyterlab(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    assert folder_in_lab(tmp_path / "clone", environment) is None
