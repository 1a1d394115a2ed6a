"""Executed notebooks as light web pages that need no server and no network.

``build_gallery`` writes a page for each notebook and an index with the verdicts. What
is interactive in a notebook is a picture on its page, so a page weighs kilobytes where
the executed notebook weighs megabytes.
"""

from cocodesign.gallery.building import build_gallery

__all__ = ["build_gallery"]
