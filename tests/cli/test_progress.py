import sys
import time

import pytest
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV

from sklearn_pb.cli import _progress
from sklearn_pb.cli._progress import progress


@pytest.fixture(name="search")
def make_search():
    grid = {"strategy": ["prior", "stratified"]}
    return GridSearchCV(DummyClassifier(random_state=0), grid, cv=5, refit=False)


def fit(search):
    with progress(search, n_fits=10):
        search.fit(*load_iris(return_X_y=True))


def test_log_has_plain_lines(search, capsys):
    fit(search)
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].strip().startswith("10 of 10 fits, ")
    assert "\r" not in out + err
    assert "\x1b" not in out + err


def test_log_has_about_ten_lines(capsys):
    with _progress._lines(75) as show:
        for count in range(76):
            show(count)
    assert len(capsys.readouterr().out.splitlines()) == 10


def test_scores_are_those_of_the_estimator(search):
    plain = GridSearchCV(search.estimator, search.param_grid, cv=5, refit=False)
    plain.fit(*load_iris(return_X_y=True))
    fit(search)
    name = "mean_test_score"
    assert list(search.cv_results_[name]) == list(plain.cv_results_[name])


def test_terminal_without_the_bar_of_sklearn(search, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    fit(search)
    assert "10/10" in capsys.readouterr().out


def test_terminal_with_the_bar_of_sklearn(search, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    attached = []
    monkeypatch.setattr(
        _progress, "_attach_bar_of_sklearn", lambda search: attached.append(search) or 1
    )
    fit(search)
    assert attached == [search]
    assert search.scoring is None


def test_an_interrupted_search_stops_the_count(search, capsys):
    with pytest.raises(KeyboardInterrupt), progress(search, n_fits=10):
        raise KeyboardInterrupt
    capsys.readouterr()
    time.sleep(2 * _progress._PAUSE)
    assert capsys.readouterr().out == ""
