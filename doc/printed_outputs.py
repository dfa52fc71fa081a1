"""Run the examples of pages, and compare or replace what the pages say they print.

    python doc/printed_outputs.py check README.md doc/user_guide/*.md
    python doc/printed_outputs.py write doc/user_guide/pruning.md

An example is a python block; the text block that follows at once is what it prints. The
examples of a page run one after the other, in one namespace and a folder of their own.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

_EXAMPLE = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
_SECONDS = re.compile(r"\d+(\.\d+)? s\b")
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def run_examples(text: str, name: str) -> Iterator[tuple[re.Match[str], str]]:
    """Run the examples of a page in turn, in the current folder.

    Yields
    ------
    example : re.Match
        The code is its first group, the text that follows its second one, or None.
    printed : str
        What the example has printed, without blanks at the ends of lines.
    """
    namespace = {"__name__": "__main__"}
    for example in _EXAMPLE.finditer(text):
        output = io.StringIO()
        with contextlib.redirect_stdout(output), warnings.catch_warnings():
            warnings.simplefilter("default")
            exec(compile(example[1], name, "exec"), namespace)
        lines = output.getvalue().rstrip().split("\n")
        yield example, "\n".join(line.rstrip() for line in lines)


def alike(shown: str, printed: str, share: float = 0.1, size: float = 0.05) -> bool:
    """Whether two outputs have the same words, and numbers that are near each other.

    How a network is trained depends on the last bits of sums, and so on the machine;
    seconds are not compared at all.
    """
    shown, printed = (_SECONDS.sub("s", text) for text in (shown, printed))
    words = [" ".join(_NUMBER.sub(" # ", text).split()) for text in (shown, printed)]
    if words[0] != words[1]:
        return False
    pairs = zip(_numbers(shown), _numbers(printed), strict=True)
    return all(abs(a - b) <= size + share * max(abs(a), abs(b)) for a, b in pairs)


def _numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in _NUMBER.findall(text)]


def main() -> None:
    """Check or write the pages that are named."""
    mode, *pages = sys.argv[1:]
    good = [_go_through(Path(page).resolve(), mode == "write") for page in pages]
    sys.exit(0 if mode == "write" or all(good) else 1)


def _go_through(page: Path, write: bool) -> bool:
    """Whether the page says what its examples print, or nearly so."""
    text, parts, end, good = page.read_text(), [], 0, True
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for example, printed in run_examples(text, page.name):
            if example[2] is None:
                continue
            shown = example[2].rstrip()
            near = alike(shown, printed)
            good = good and near
            if shown != printed:
                degree = "a little" if near else "much"
                print(f"{page.name} differs {degree}:\n{shown}\n->\n{printed}\n")
            parts += [text[end : example.start(2)], printed, "\n"]
            end = example.end(2)
        os.chdir(page.parent)
    if write and page.read_text() == text:  # nobody has changed it meanwhile
        page.write_text("".join([*parts, text[end:]]))
    return good


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    main()
