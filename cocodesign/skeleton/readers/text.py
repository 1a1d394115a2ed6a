"""Tables of numbers in text files, read strictly."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cocodesign.errors import DataFormatError


def read_numbers(
    path: Path, num_columns: int, *, separator: str | None = None
) -> NDArray[np.float64]:
    """Read a table of numbers.

    Args:
        path: A text file, one row a line; empty lines are passed over.
        num_columns: Numbers in every row.
        separator: Between numbers; any white space if ``None``.

    Returns:
        The table, of at least one row. Its numbers may be infinite or NaN.

    Raises:
        DataFormatError: If a row has another number of columns, something is no number,
            or there is no row. The message names file and line.
    """
    rows = []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.strip().rstrip(separator).split(separator)
        if len(fields) != num_columns:
            raise DataFormatError(
                f"{path}, line {number}: {len(fields)} numbers, expected {num_columns}"
            )
        try:
            rows.append([float(each) for each in fields])
        except ValueError as error:
            raise DataFormatError(f"{path}, line {number}: {error}") from error
    if not rows:
        raise DataFormatError(f"{path} is empty")
    return np.array(rows)
