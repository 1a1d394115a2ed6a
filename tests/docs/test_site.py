"""The site is built without a warning, and needs nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="the site's tools are in the extra dev")

from tests.docs.markdown import ROOT

# What a browser would load by itself, in contrast to what a reader may click.
_LOADED = re.compile(
    r'<(?:script|img|iframe|source)[^>]* src="(https?:)?//'
    r'|<link[^>]* rel="(?:stylesheet|preconnect|icon)"[^>]* href="(https?:)?//'
)


@pytest.mark.slow
def test_the_site_is_built_strictly_and_loads_nothing_from_other_hosts(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        assert not _LOADED.search(page.read_text(encoding="utf-8")), page.name
    assert "verdict-pass" in (tmp_path / "claims.html").read_text(encoding="utf-8")
    kfac = (tmp_path / "reference" / "kfac.html").read_text(encoding="utf-8")
    assert 'id="cocodesign.kfac.KFAC"' in kfac
    assert "<math" in kfac
