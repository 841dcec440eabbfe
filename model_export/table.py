"""Read a CSV file as people save it: UTF-8, commas; what is wrong with it as a whole is told in sentences."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

Row = tuple[int, list[str]]
"""Line number in the file and its fields, stripped."""


def rows_of(content: bytes, tell: Callable[[str], None]) -> tuple[list[str], list[Row]]:
    """Header and rows of a CSV file, without empty lines; both empty if it is none.

    Args:
        content: of the file.
        tell: takes each problem of the file as a whole.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        tell("not a CSV: it is not UTF-8 text; save the table as CSV with commas")
        return [], []
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        lines = [
            (reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))
        ]
    except csv.Error as error:
        tell(f"not a CSV ({error})")
        return [], []
    if not lines:
        tell("empty: a header and one row per patient are needed")
        return [], []
    header, rows = lines[0][1], lines[1:]
    if not rows:
        tell("no patient: only a header was found")
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        tell("not separated by commas; save the table as CSV with commas and decimal points")
        return [], []
    return header, rows
