"""Tables of finished runs: a run that is in the table is not made again."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from reporting import RESULTS, provenance

Row = dict[str, Any]


class Records:
    """Rows of finished runs in ``results/laboratory_NAME.csv``.

    Parameters
    ----------
    name : str
        Number of the figure, with underscores.
    keys : sequence of str
        The columns that say which run a row belongs to.
    values : sequence of str
        The columns that say what was seen.
    folder : Path, default=RESULTS
        Where the file lies.
    """

    def __init__(
        self,
        name: str,
        keys: Sequence[str],
        values: Sequence[str],
        folder: Path = RESULTS,
    ) -> None:
        self.path = folder / f"laboratory_{name}.csv"
        self._keys, self._values = tuple(keys), tuple(values)
        self.rows = self._read()
        self._done = {self._key(row) for row in self.rows}

    def complete(
        self, runs: Iterable[Row], make: Callable[[Row], Iterable[Row]]
    ) -> list[Row]:
        """Make the runs that are missing, and return the rows of all of `runs`."""
        runs = list(runs)
        for run in runs:
            if self._key(run) not in self._done:
                self._add(run, list(make(run)))
                print(f"{self.path.stem}: {run}", flush=True)
        wanted = {self._key(run) for run in runs}
        return [row for row in self.rows if self._key(row) in wanted]

    def _key(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(str(row[name]) for name in self._keys)

    def _add(self, run: Row, seen: list[Row]) -> None:
        rows = [{**run, **values} for values in seen]
        is_new = not self.path.exists()
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a", newline="") as file:
            if is_new:
                file.writelines(f"# {line}\n" for line in provenance())
            table = csv.DictWriter(file, [*self._keys, *self._values])
            if is_new:
                table.writeheader()
            table.writerows(rows)
        self.rows += rows
        self._done.add(self._key(run))

    def _read(self) -> list[Row]:
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            lines = [line for line in file if not line.startswith("#")]
        return [
            {name: _parsed(text) for name, text in row.items()}
            for row in csv.DictReader(lines)
        ]


def _parsed(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@dataclass(frozen=True)
class Curve:
    """Losses of the runs of one setting.

    Parameters
    ----------
    x : numpy.ndarray of shape (k,)
        Steps.
    mean, std : numpy.ndarray of shape (k,)
        Over the seeds.
    last : numpy.ndarray of shape (seeds,)
        The final loss of each run.
    """

    x: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    last: np.ndarray

    @property
    def final(self) -> float:
        """The mean loss at the end."""
        return float(self.mean[-1])

    @property
    def second_half(self) -> float:
        """The mean loss over the second half of the steps."""
        return float(self.mean[self.x > self.x[-1] / 2].mean())

    @property
    def from_ten_on(self) -> float:
        """The mean loss from step 10 on; a look stands for the steps since the last."""
        steps = np.diff(self.x, prepend=0)
        late = self.x >= 10
        return float(np.average(self.mean[late], weights=steps[late]))


def curves_of_seeds(rows: Iterable[Row], by: Sequence[str]) -> dict[tuple, Curve]:
    """Group rows with a `loss` of one `seed` each, by the values of columns."""
    found: dict[tuple, dict[int, dict[int, float]]] = {}
    for row in rows:
        seeds = found.setdefault(tuple(row[name] for name in by), {})
        seeds.setdefault(row["seed"], {})[row["step"]] = row["loss"]
    curves = {}
    for key, seeds in found.items():
        x = np.array(sorted(next(iter(seeds.values()))))
        y = np.array([[seen[step] for step in x] for seen in seeds.values()])
        curves[key] = Curve(x, y.mean(0), y.std(0), y[:, -1])
    return curves


def curves_of_means(rows: Iterable[Row], by: Sequence[str]) -> dict[tuple, Curve]:
    """Group rows with the `mean` and `std` over seeds, by the values of columns."""
    found: dict[tuple, list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in by), []).append(row)
    curves = {}
    for key, seen in found.items():
        seen.sort(key=lambda row: row["step"])
        x, mean, std = (
            np.array([row[name] for row in seen]) for name in ("step", "mean", "std")
        )
        last = np.array([float(loss) for loss in str(seen[-1]["last"]).split()])
        curves[key] = Curve(x, mean, std, last)
    return curves


def best(
    curves: Mapping[tuple, Curve], judge: Callable[[Curve], float]
) -> dict[tuple, tuple[Any, Curve]]:
    """Choose among what was swept, which is the last part of a key.

    Parameters
    ----------
    curves : dict of tuple to Curve
        By setting.
    judge : callable
        Maps a curve to a number, the least of which is best.

    Returns
    -------
    best : dict of tuple to tuple
        By the rest of the key, what was chosen and its curve.
    """
    chosen: dict[tuple, tuple[Any, Curve]] = {}
    for (*rest, swept), curve in curves.items():
        rival = chosen.get(tuple(rest))
        if rival is None or judge(curve) < judge(rival[1]):
            chosen[tuple(rest)] = swept, curve
    return chosen


def scale(
    description: str,
    *,
    small: Mapping[str, Any],
    full: Mapping[str, Any],
    methods: Sequence[str] = (),
    rates: Sequence[float] = (),
    usual: Sequence[str] = (),
) -> argparse.Namespace:
    """Read from the command line how much is to be run.

    Parameters
    ----------
    description : str
        What the figure shows.
    small, full : dict
        Defaults, and what ``--full`` puts in their place: numbers such as `seeds` and
        `steps`, at least 1, or texts.
    methods, rates : sequence
        Where they may be chosen from, all of them by default.
    usual : sequence
        The methods that are the default in place of all.

    Returns
    -------
    arguments : argparse.Namespace
        With a value for each key of `small`, and the lists `methods` and `rates`.
    """
    parser = argparse.ArgumentParser(
        description=description.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--full", action="store_true", help="the scale of the source")
    for name, value in small.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(value), help=f"instead of {value}")
    if methods:
        parser.add_argument(
            "--methods", nargs="+", choices=methods, default=usual or methods
        )
    if rates:
        parser.add_argument(
            "--rates", nargs="+", type=float, choices=rates, default=rates
        )
    arguments = parser.parse_args()
    defaults = full if arguments.full else small
    for name in small:
        if getattr(arguments, name) is None:
            setattr(arguments, name, defaults[name])
        elif isinstance(small[name], int) and getattr(arguments, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return arguments


def checkpoints(steps: int, number: int) -> list[int]:
    """About `number` steps to look at, evenly spaced, the first and last included."""
    return sorted({round(k * steps / number) for k in range(number + 1)})
