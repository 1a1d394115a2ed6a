"""Crates: runs packed with the claims that they support, for others to check.

``write_crate`` packs runs as a Process Run Crate, ``check_crate`` judges the claims
again from such a crate, without running anything.
"""

from cocodesign.crates.checking import check_crate
from cocodesign.crates.writing import write_crate

__all__ = ["check_crate", "write_crate"]
