"""The home page of the project, notebook 00.

* ``Home``: verdicts, notebooks with buttons to run them, figures, records side by side.
"""

from cocodesign.panels.home.page import Home

__all__ = ["Home"]
