"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def text_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[str] = (),
    total: bool = False,
) -> str:
    """Return lines of equal columns: words to the left, numbers to the right.

    Parameters
    ----------
    titles : sequence of str
        One a column.
    rows : sequence of sequence of str
        Cells, as many in each row as there are titles.
    left : collection of str, default=()
        Titles of the columns that begin at the left; the others end at the right.
    total : bool, default=False
        Whether the last row is a total, below a rule.

    Returns
    -------
    table : str
        The titles, a rule and the rows.

    Examples
    --------
    >>> from sklearn_pb.utils import text_table
    >>> print(text_table(("layer", "zeros"), [("1.weight", "90 %")], left={"layer"}))
    layer     zeros
    --------  -----
    1.weight   90 %
    """
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    lines: list[Sequence[str]] = [titles, rule, *rows]
    if total:
        lines.insert(-1, rule)
    return "\n".join(
        "  ".join(
            f"{cell:{'<' if title in left else '>'}{width}}"
            for cell, title, width in zip(line, titles, widths, strict=True)
        ).rstrip()
        for line in lines
    )
