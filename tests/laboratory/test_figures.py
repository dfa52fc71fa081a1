import importlib
from itertools import pairwise

import numpy as np
import pytest
from laboratory import drawing, figure_3_4, figure_6_1, figure_6_8
from laboratory.records import Curve

FIGURES = ["3_4", "6_1", "6_2", "6_3", "6_4", "6_5", "6_6", "6_7", "6_8"]
FIGURES += ["7_3", "7_4", "7_5", "8_1"]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_what_it_shows(name):
    module = importlib.import_module(f"laboratory.figure_{name}")
    assert module.__doc__.startswith(f"Figure {name.replace('_', '.')}: ")
    assert callable(module.main)


@pytest.mark.parametrize("rate, cost", [(0.01, 1.0), (0.1, -1.0), (3.0, 1.0)])
def test_example_6_needs_a_rate_in_the_middle(rate, cost):
    rows = list(figure_3_4.descend({"steps": 400, "learning_rate": rate}))
    assert rows[-1]["step"] == 400
    assert rows[-1]["cost"] == cost
    for row, following in pairwise(rows[:-1]):
        assert row["cost"] != following["cost"]


def test_variances_of_figure_6_1():
    run = {"benchmark": "ExponentialTabularLoss", "size": 4, "steps": 20}
    rows = list(figure_6_1.variances(run))
    assert [rows[0]["step"], rows[-1]["step"]] == [0, 20]
    assert float(rows[0]["entropy"]) == pytest.approx(4 * np.log(2), rel=1e-5)
    for row in rows:
        assert 0 < float(row["arms"]) < float(row["loorf"])


def test_the_page_of_figure_6_8_needs_no_new_training(monkeypatch):
    # Its command is the first thing one tries: all of its runs are in the table.
    new = []
    monkeypatch.setattr("sys.argv", ["figure_6_8"])
    monkeypatch.setattr(figure_6_8, "MaskedRuns", lambda: new.append)
    monkeypatch.setattr(figure_6_8, "draw", new.append)
    figure_6_8.main()
    (drawn,) = new
    assert (1000, "rebar") in drawn and (1000, "relax") in drawn


def test_pictures_are_small(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "IMAGES", tmp_path)
    figure, (left, right) = drawing.panels(1, 2)
    x = np.arange(50)
    curve = Curve(x, np.sin(x), np.full(50, 0.1), np.array([1.0, 2.0]))
    drawing.draw_curve(left, curve, "one", 0)
    drawing.draw_last(right, {"one": curve})
    drawing.save(figure, "x")
    assert 0 < (tmp_path / "laboratory_x.png").stat().st_size < 60_000
    assert [label.get_text() for label in right.get_xticklabels()] == ["one"]
