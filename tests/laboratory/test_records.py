import numpy as np
import pytest
from laboratory.records import (
    Curve,
    Records,
    best,
    checkpoints,
    curves_of_means,
    curves_of_seeds,
    scale,
)

RUNS = [{"method": "st", "seed": 0}, {"method": "cp", "seed": 0}]


def table(folder):
    return Records("x", ("method", "seed"), ("step", "loss"), folder)


def test_finished_runs_are_not_repeated(tmp_path):
    made = []

    def make(run):
        made.append(run["method"])
        yield {"step": 0, "loss": 0.5}
        yield {"step": 10, "loss": 0.25}

    first = table(tmp_path).complete(RUNS[:1], make)
    assert first == table(tmp_path).complete(RUNS[:1], make)
    assert made == ["st"]
    both = table(tmp_path).complete(RUNS, make)
    assert made == ["st", "cp"]
    assert [row["method"] for row in both] == ["st", "st", "cp", "cp"]
    assert both[1] == {"method": "st", "seed": 0, "step": 10, "loss": 0.25}
    assert (tmp_path / "laboratory_x.csv").read_text().startswith("# command:")


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def break_off(run):
        yield {"step": 0, "loss": 0.5}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table(tmp_path).complete(RUNS, break_off)
    assert table(tmp_path).rows == []


def test_curves_of_seeds():
    rows = [
        {"method": "st", "rate": rate, "seed": seed, "step": step, "loss": loss + rate}
        for rate in (0.1, 0.5)
        for seed, step, loss in ((0, 0, 1.0), (0, 9, 3.0), (1, 0, 2.0), (1, 9, 5.0))
    ]
    curves = curves_of_seeds(rows, ("method", "rate"))
    curve = curves["st", 0.5]
    np.testing.assert_allclose(curve.x, [0, 9])
    np.testing.assert_allclose(curve.mean, [2.0, 4.5])
    np.testing.assert_allclose(curve.std, [0.5, 1.0])
    np.testing.assert_allclose(curve.last, [3.5, 5.5])
    rate, chosen = best(curves, lambda c: c.final)["st",]
    assert rate == 0.1
    assert chosen.final == pytest.approx(4.1)


def test_curves_of_means():
    rows = [
        {"method": "st", "step": 5, "mean": 1.5, "std": 0.5, "last": "1.0 2.0"},
        {"method": "st", "step": 0, "mean": 3.0, "std": 0.0, "last": ""},
    ]
    curve = curves_of_means(rows, ("method",))["st",]
    assert curve.x.tolist() == [0, 5]
    assert curve.mean.tolist() == [3.0, 1.5]
    assert curve.last.tolist() == [1.0, 2.0]


def test_averages_that_choose_a_rate():
    x = np.array([0, 10, 30, 100])
    curve = Curve(x, np.array([9.0, 1.0, 2.0, 4.0]), np.zeros(4), np.zeros(1))
    assert curve.second_half == 4.0
    assert curve.from_ten_on == pytest.approx((10 * 1 + 20 * 2 + 70 * 4) / 100)
    assert curve.final == 4.0


def test_checkpoints():
    assert checkpoints(10, 2) == [0, 5, 10]
    assert checkpoints(3, 100) == [0, 1, 2, 3]


def test_scale(monkeypatch):
    sizes = {"small": {"seeds": 2, "steps": 5}, "full": {"seeds": 10, "steps": 100}}
    monkeypatch.setattr("sys.argv", ["figure"])
    assert vars(scale("What.", **sizes)) == {"full": False, "seeds": 2, "steps": 5}
    monkeypatch.setattr("sys.argv", ["figure", "--full", "--seeds", "3"])
    arguments = scale("What.", **sizes, rates=[0.1])
    assert (arguments.seeds, arguments.steps, arguments.rates) == (3, 100, [0.1])
    assert scale("What.", **sizes, methods=["a", "b"]).methods == ["a", "b"]
    assert scale("What.", **sizes, methods=["a", "b"], usual=["a"]).methods == ["a"]
    monkeypatch.setattr("sys.argv", ["figure", "--steps", "0"])
    with pytest.raises(SystemExit):
        scale("What.", **sizes)
