"""Every package says what is public, and public is what it says."""

import ast
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import cocodesign

PACKAGES = [
    name
    for _, name, is_package in pkgutil.iter_modules(cocodesign.__path__)
    if is_package and name not in ("cli", "panels")
]
MOST = 8


@pytest.mark.parametrize("package", PACKAGES)
def test_all_lists_exactly_the_public_names(package: str) -> None:
    module = importlib.import_module(f"cocodesign.{package}")
    public = {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert set(module.__all__) == public
    assert len(module.__all__) <= MOST
    assert module.__doc__


def test_the_root_imports_nothing() -> None:
    tree = ast.parse(Path(cocodesign.__file__).read_text())
    assert not [
        node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
    ]


def test_no_library_file_is_long() -> None:
    folder = Path(cocodesign.__file__).parent
    lengths = {
        path.relative_to(folder): len(path.read_text().splitlines())
        for path in folder.rglob("*.py")
    }
    assert {path: n for path, n in lengths.items() if n > 500} == {}
