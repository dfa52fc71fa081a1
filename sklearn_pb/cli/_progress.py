"""Show how many fits of a search are done, on a terminal or in a log."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tqdm import tqdm

_PAUSE = 0.25  # seconds between two looks at the count
_LINES = 10  # in a log


class FitCounter:
    """A scorer that leaves a mark in a file for every fit it has scored.

    The file is what all workers share, whatever runs them.

    Parameters
    ----------
    path : str
        The file.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Score and leave a mark."""
        score = estimator.score(X, y)
        with open(self.path, "ab") as marks:
            marks.write(b".")
        return score


@contextmanager
def progress(search: Any, n_fits: int) -> Iterator[None]:
    """Show the progress of a search while it is fitted.

    On a terminal that is scikit-learn's own bar where it can be had, else one of tqdm.
    Elsewhere it is a line now and then.

    Parameters
    ----------
    search : GridSearchCV
        Not yet fitted.
    n_fits : int
        How many fits it will make.

    Yields
    ------
    None
        Fit the search now.
    """
    on_terminal = sys.stdout.isatty()
    if on_terminal and _attach_bar_of_sklearn(search):
        yield
        return
    with TemporaryDirectory() as folder:
        marks = Path(folder, "marks")
        marks.touch()
        search.set_params(scoring=FitCounter(str(marks)))
        display = _bar if on_terminal else _lines
        with display(n_fits) as show, _repeated(lambda: show(marks.stat().st_size)):
            yield


def _attach_bar_of_sklearn(search: Any) -> bool:
    """Callbacks are an experiment of scikit-learn 1.9, and their bar needs rich."""
    try:
        from sklearn.callback import ProgressBar

        search.set_callbacks(ProgressBar(max_propagation_depth=0))
    except (ImportError, AttributeError, TypeError):
        return False
    return True


@contextmanager
def _repeated(look: Callable[[], None]) -> Iterator[None]:
    """Call `look` from time to time in a thread, and once more at the end."""
    done = threading.Event()

    def run() -> None:
        while not done.wait(_PAUSE):
            look()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        look()


@contextmanager
def _bar(n_fits: int) -> Iterator[Callable[[int], None]]:
    with tqdm(total=n_fits, unit="fit", file=sys.stdout) as bar:
        yield lambda count: bar.update(count - bar.n)


@contextmanager
def _lines(n_fits: int) -> Iterator[Callable[[int], None]]:
    start, shown = time.monotonic(), 0

    def show(count: int) -> None:
        nonlocal shown
        if count * _LINES // n_fits > shown * _LINES // n_fits:
            seconds = time.monotonic() - start
            print(f"  {count} of {n_fits} fits, {seconds:.0f} s", flush=True)
            shown = count

    yield show
