import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_pb.estimators import MaskPruner
from sklearn_pb.inspection import format_sparsity_table, sparsity_table
from sklearn_pb.methods import Continuation


@pytest.fixture(name="results")
def make_results():
    return {
        "param_prune__method": np.ma.masked_array(
            ["gmp", Continuation()], dtype=object
        ),
        "param_prune__sparsity": np.ma.masked_array([0.0, 0.95]),
        "mean_test_score": np.array([0.97, 0.95]),
        "std_test_score": np.array([0.01, 0.02]),
        "mean_fit_time": np.array([1.25, 2.0]),
    }


def test_rows_tell_what_was_kept_scored_and_spent(results):
    first, second = sparsity_table(results, n_weights=7400)
    assert first == {
        "method": "gmp",
        "sparsity": 0.0,
        "mean": 0.97,
        "std": 0.01,
        "fit_time": 1.25,
        "nonzeros": 7400,
    }
    assert (second["method"], second["nonzeros"]) == ("Continuation()", 370)


def test_searched_parameters_of_a_method_are_part_of_its_name(results):
    betas = np.ma.masked_array([0, 20], mask=[True, False])
    rows = sparsity_table(results | {"param_prune__method__beta_final": betas})
    names = [row["method"] for row in rows]
    assert names == ["gmp", "Continuation(beta_final=20)"]


def test_a_method_that_was_not_searched_is_the_default(results):
    methods = np.ma.masked_array(["", "gmp"], mask=[True, False], dtype=object)
    rows = sparsity_table(results | {"param_prune__method": methods})
    assert [row["method"] for row in rows] == ["default", "gmp"]


def test_nonzeros_are_those_of_a_pruner():
    X = np.random.default_rng(0).normal(size=(20, 3))
    y = np.arange(20) % 2
    grid = {"sparsity": [0.333, 0.777]}
    pruner = MaskPruner(method="magnitude", random_state=0)
    search = GridSearchCV(pruner, grid, cv=2).fit(X, y)
    rows = sparsity_table(search)  # counts the weights of best_estimator_
    kept = sum(int(mask.sum()) for mask in search.best_estimator_.masks_.values())
    assert rows[search.best_index_]["nonzeros"] == kept


def test_no_sparsity_means_that_the_penalty_decides(results):
    sparsities = np.ma.masked_array([None, 0.5], mask=[False, True], dtype=object)
    rows = sparsity_table(results | {"param_prune__sparsity": sparsities}, n_weights=9)
    assert [row["sparsity"] for row in rows] == [None, None]
    assert [row["nonzeros"] for row in rows] == [None, None]
    assert "learned" in format_sparsity_table(rows)


def test_text_has_straight_columns(results):
    text = format_sparsity_table(sparsity_table(results, n_weights=1_000_000))
    assert text.splitlines() == [
        "method          sparsity          score  non-zeros  fit time",
        "--------------  --------  -------------  ---------  --------",
        "gmp                  0 %  0.970 ± 0.010  1,000,000     1.2 s",
        "Continuation()      95 %  0.950 ± 0.020     50,000     2.0 s",
    ]


def test_a_column_that_could_be_either_is_refused(results):
    results["param_other__sparsity"] = [0.1, 0.2]
    with pytest.raises(ValueError, match="could be any of param_prune__sparsity, "):
        sparsity_table(results)


def test_a_search_without_sparsities_is_refused(results):
    del results["param_prune__sparsity"]
    with pytest.raises(ValueError, match="parameters of the search: param_prune__meth"):
        sparsity_table(results)


def test_the_full_name_settles_a_doubt(results):
    results["param_other__sparsity"] = [0.1, 0.2]
    rows = sparsity_table(results, param_sparsity="other__sparsity")
    assert [row["sparsity"] for row in rows] == [0.1, 0.2]


def test_unknown_metric_and_wrong_type(results):
    with pytest.raises(ValueError, match="no mean_test_f1"):
        sparsity_table(results, metric="f1")
    with pytest.raises(TypeError, match="got list"):
        sparsity_table([results])
