"""The hooks of the site, loaded as MkDocs loads them."""

import importlib.util
from types import ModuleType

from tests.docs.markdown import ROOT


def load_hook(name: str) -> ModuleType:
    """Return the module ``docs/hooks/<name>.py``."""
    path = ROOT / "docs" / "hooks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"hook_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
