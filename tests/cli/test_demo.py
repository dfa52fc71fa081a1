import csv
import os
import subprocess
import sys

import numpy as np
import pytest

from sklearn_pb.cli import _demo, main
from sklearn_pb.cli._demo_search import choose
from sklearn_pb.exceptions import NonFiniteLossError

SMALL = ["--epochs", "2", "--folds", "2", "--n-jobs", "1", "--max-rows", "200"]


@pytest.fixture(name="run")
def make_run(tmp_path, capsys):
    def run(*arguments):
        status = main(["demo", *SMALL, "--out", str(tmp_path / "out"), *arguments])
        return status, capsys.readouterr().out

    return run


@pytest.fixture(name="complaint")
def make_complaint(capsys, monkeypatch):
    def complaint(*arguments):
        with pytest.raises(SystemExit) as stop:
            main(["demo", *arguments])
        out, err = capsys.readouterr()
        assert stop.value.code == 2
        assert out == ""
        assert err.count("\n") == 1
        return err

    monkeypatch.setattr(_demo, "_fit_search", None)  # complaints come before work
    return complaint


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


@pytest.fixture(name="images")
def make_images():
    rng = np.random.default_rng(0)
    y = np.repeat(["coat", "shoe"], 20)
    X = rng.integers(100, size=(40, 5, 6), dtype=np.uint8)
    X[y == "shoe"] += 80
    return {"X_train": X, "y_train": y, "X_test": X[::4], "y_test": y[::4]}


@pytest.mark.filterwarnings("ignore::sklearn_pb.exceptions.SparsityWarning")
def test_all_methods_on_digits(run, tmp_path):
    status, out = run("--sparsities", "0.5", "0.9")
    assert status == 0
    rows = [line.split() for line in out.splitlines() if "±" in line]
    assert rows[0][:2] == ["dense", "0"]
    assert rows[0][6] == "7,400"
    assert len(rows) == 1 + 6 * 2
    assert sorted(row[1] for row in rows[1:]) == ["50"] * 6 + ["90"] * 6
    assert {row[6] for row in rows[1:]} == {"3,700", "740"}
    assert "26 of 26 fits" in out
    pictures = ("accuracy_vs_sparsity", "layer_sparsity", "layer_bits")
    names = ["results.csv", "network.skpb", *(f"{name}.png" for name in pictures)]
    for name in names:
        assert str(tmp_path / "out" / name) in out
        assert (tmp_path / "out" / name).stat().st_size > 500
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(names)


@pytest.mark.filterwarnings("ignore::sklearn_pb.exceptions.SparsityWarning")
def test_stages_become_smaller_and_what_is_loaded_predicts_the_same(run, tmp_path):
    _, out = run("--methods", "gmp", "--sparsities", "0.9", "--epochs", "10")
    table = out[out.index("stage ") :].splitlines()[2:6]
    stages = {line[:12].strip(): line[12:].split() for line in table}
    assert list(stages) == ["dense", "pruned", "quantized", "loaded again"]
    weights = [int(cells[0].replace(",", "")) for cells in stages.values()]
    assert weights[:2] == [7400, 740]
    assert weights[2] == weights[3] <= 740
    assert [cells[3] for cells in stages.values()][:2] == ["32.00", "3.20"]
    assert float(stages["quantized"][3]) == pytest.approx(0.3, abs=0.01)
    sizes = [int(cells[4].replace(",", "")) for cells in stages.values()]
    assert sizes[0] > 20_000 > 10_000 > sizes[1] > 2000 > sizes[2] == sizes[3]
    assert sizes[3] == (tmp_path / "out" / "network.skpb").stat().st_size
    assert stages["quantized"] == stages["loaded again"]
    assert "predicts the same, bit for bit" in out


def test_csv_holds_the_table(run, tmp_path):
    run("--methods", "gmp", "--sparsities", "0.5", "--data", "iris")
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == ["dense", "gmp"]
    assert [int(row["nonzeros"]) for row in rows] == [700, 350]
    assert 0 <= float(rows[1]["mean"]) <= 1


@pytest.mark.filterwarnings("ignore::sklearn_pb.exceptions.SparsityWarning")
def test_two_workers_find_what_one_finds(run):
    def scores(*arguments):
        _, out = run("--data", "wine", "--methods", "continuous", *arguments)
        return [line.split()[3:6] for line in out.splitlines() if "±" in line]

    assert scores("--n-jobs", "2") == scores("--n-jobs", "1")


def test_images_with_a_test_part(run, images, tmp_path):
    path = save(tmp_path / "clothes.npz", **images)
    status, out = run("--data", path, "--methods", "magnitude", "--sparsities", "0.5")
    assert status == 0
    assert "Data: clothes, 40 rows to train on and 10 put aside, 30 features" in out


def test_named_data_of_a_folder(run, images, tmp_path):
    save(tmp_path / "clothes.npz", **images)
    status, _ = run(
        *["--data", "clothes", "--data-home", str(tmp_path)],
        *["--methods", "gmp", "--sparsities", "0.5"],
    )
    assert status == 0


def test_unknown_data(complaint, tmp_path):
    message = complaint("--data", "nope", "--data-home", str(tmp_path))
    assert "--data 'nope' is none of the embedded sets" in message
    assert "there is no such file" in complaint("--data", "nope.npz")


def test_data_that_is_not_for_a_classifier(complaint, tmp_path):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    path = tmp_path / "data.npz"
    assert "y is continuous" in complaint("--data", save(path, X=X, y=X[:, 0]))
    assert "NaN or infinite" in complaint("--data", save(path, X=X * np.nan, y=y))
    assert "only one class, 0" in complaint("--data", save(path, X=X, y=y * 0))
    few = complaint("--data", save(path, X=X, y=np.arange(20) == 3))
    assert "too few rows to train on of class True: 1, where 4 are needed" in few
    assert "must hold numbers" in complaint("--data", save(path, X=X.astype(str), y=y))


def test_a_folder_that_cannot_be(complaint, tmp_path):
    (tmp_path / "file").touch()
    message = complaint("--out", str(tmp_path / "file" / "below"))
    assert "cannot write there" in message


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--methods", "gmp", "foo"], "invalid choice: 'foo'"),
        (["--sparsities", "95"], "'95' must be a fraction between 0 and 1"),
        (["--folds", "1"], "'1' must be a whole number of at least 2"),
        (["--epochs", "many"], "'many' must be a whole number of at least 1"),
        (["--wat"], "unrecognized arguments: --wat"),
    ],
)
def test_wrong_arguments(complaint, arguments, message):
    assert message in complaint(*arguments)


@pytest.mark.parametrize(
    "error, status, message",
    [
        (KeyboardInterrupt(), 130, "Stopped."),
        (NonFiniteLossError("the loss became nan"), 1, "the loss became nan"),
    ],
)
def test_a_search_that_ends_early(
    tmp_path, capsys, monkeypatch, error, status, message
):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(_demo, "_fit_search", fail)
    assert main(["demo", "--out", str(tmp_path)]) == status
    assert message in capsys.readouterr().err


def test_choice_is_the_sparsest_good_one_or_the_most_accurate():
    rows = [
        {"sparsity": 0.9, "mean": 0.96},
        {"sparsity": 0.95, "mean": 0.94},
        {"sparsity": 0.95, "mean": 0.95},
        {"sparsity": 0.98, "mean": 0.90},
    ]
    assert choose(rows, 0.96) == (rows[2], True)
    assert choose(rows, 0.99) == (rows[0], False)


def test_module_is_a_command():
    command = [sys.executable, "-m", "sklearn_pb", "demo", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0
    assert "what happens" in done.stdout
