from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from cocodesign.errors import NotebookError, ParameterError
from cocodesign.runner import read_parameters
from cocodesign.runner.notebook import (
    cell_title,
    inject_parameters,
    load_notebook,
    read_profile,
)

WriteNotebook = Callable[..., Path]


def write_profile(notebook: Path, name: str, text: str) -> Path:
    path = notebook.parent / "parameters" / f"{notebook.stem}.{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_the_declared_parameters_are_found(write_notebook: WriteNotebook):
    names = [parameter.name for parameter in read_parameters(write_notebook())]
    assert names == ["seed", "run_dir", "rate", "label", "limit"]


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        (None, "expected one cell tagged 'parameters', found 0"),
        ("seed = 0", "must declare 'run_dir' as str"),
        ("seed = 0.5\nrun_dir = 'x'", "must declare 'seed' as int"),
        ("seed = 0\nrun_dir = 'x'\nprint(1)", "cell 1: line 3"),
    ],
)
def test_a_notebook_without_proper_parameters_is_refused(
    write_notebook: WriteNotebook, parameters: str | None, complaint: str
):
    with pytest.raises(NotebookError, match=complaint):
        read_parameters(write_notebook(parameters=parameters))


def test_an_executed_copy_is_refused(write_notebook: WriteNotebook):
    path = write_notebook()
    notebook = load_notebook(path)
    inject_parameters(notebook, {"seed": 1})
    nbformat.write(notebook, path)
    with pytest.raises(NotebookError, match="executed copy"):
        read_parameters(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"nbformat": 4}'])
def test_a_file_that_is_no_notebook_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "broken.ipynb"
    path.write_bytes(content)
    with pytest.raises(NotebookError, match=r"broken\.ipynb"):
        load_notebook(path)


def test_a_missing_notebook_and_another_language_are_refused(
    tmp_path: Path, write_notebook: WriteNotebook
):
    with pytest.raises(NotebookError, match="No such file"):
        load_notebook(tmp_path / "absent.ipynb")
    path = write_notebook()
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.kernelspec.language = "julia"
    nbformat.write(notebook, path)
    with pytest.raises(NotebookError, match="'julia'; only Python"):
        load_notebook(path)


def test_the_injected_cell_follows_the_parameters_cell(write_notebook: WriteNotebook):
    notebook = load_notebook(write_notebook("print(1)"))
    inject_parameters(notebook, {"seed": 3, "label": "b"})
    assert notebook.cells[1].source.splitlines()[1:] == ["seed = 3", "label = 'b'"]
    assert notebook.cells[1].metadata.tags == ["injected-parameters"]
    nbformat.validate(notebook)


def test_a_profile_is_read_as_yaml_1_2(write_notebook: WriteNotebook):
    path = write_notebook()
    write_profile(path, "laptop", "rate: 1e-4\nlabel: no\nlimit: null\nflag: true\n")
    assert read_profile(path, "laptop") == {
        "rate": 1e-4,
        "label": "no",
        "limit": None,
        "flag": True,
    }


def test_smoke_is_the_defaults_and_has_no_file(write_notebook: WriteNotebook):
    path = write_notebook()
    assert read_profile(path, "smoke") == {}
    write_profile(path, "smoke", "rate: 1")
    with pytest.raises(ParameterError, match="notebook's defaults"):
        read_profile(path, "smoke")


def test_an_unknown_profile_is_refused_with_the_known_ones(
    write_notebook: WriteNotebook,
):
    path = write_notebook()
    write_profile(path, "paper", "")
    assert read_profile(path, "paper") == {}
    with pytest.raises(ParameterError, match="'papr'; there are: smoke, paper"):
        read_profile(path, "papr")


@pytest.mark.parametrize("text", ["a: 1\na: 2", "- 1", "a: [", "1: 2", "3"])
def test_a_profile_that_is_no_plain_mapping_is_refused(
    write_notebook: WriteNotebook, text: str
):
    path = write_notebook()
    write_profile(path, "laptop", text)
    with pytest.raises(ParameterError, match=r"example\.laptop\.yaml"):
        read_profile(path, "laptop")


def test_a_title_is_the_first_line_that_says_something():
    cell = nbformat.v4.new_code_cell("\n\n# Run the comparison\nrun()")
    assert cell_title(cell) == "Run the comparison"
    assert cell_title(nbformat.v4.new_code_cell("")) == ""
