import dataclasses

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sklearn_pb.datasets import load_arrays


def save(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


@pytest.fixture(name="images")
def make_images():
    rng = np.random.default_rng(0)
    return {
        "X_train": rng.integers(256, size=(6, 4, 4), dtype=np.uint8),
        "y_train": np.arange(6) % 3,
        "X_test": rng.integers(256, size=(2, 4, 4), dtype=np.uint8),
        "y_test": np.arange(2),
    }


def test_a_file_of_X_and_y(tmp_path):
    X, y = np.arange(6.0).reshape(3, 2), np.array(["a", "b", "a"])
    dataset = load_arrays(save(tmp_path / "mine.npz", X=X, y=y, extra=y))
    assert dataset.name == "mine"
    np.testing.assert_array_equal(dataset.X, X)
    np.testing.assert_array_equal(dataset.y, y)
    assert dataset.X_test is None
    assert dataset.y_test is None


def test_a_file_with_a_test_part_keeps_the_images(tmp_path, images):
    dataset = load_arrays(str(save(tmp_path / "images.npz", **images)))
    for name in ("X", "y"):
        np.testing.assert_array_equal(getattr(dataset, name), images[f"{name}_train"])
    np.testing.assert_array_equal(dataset.X_test, images["X_test"])
    assert dataset.X.dtype == np.uint8
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.X = None


def test_scale_turns_bytes_into_unit_floats(tmp_path, images):
    dataset = load_arrays(save(tmp_path / "images.npz", **images), scale=True)
    for X, raw in ((dataset.X, "X_train"), (dataset.X_test, "X_test")):
        assert X.dtype == np.float32
        np.testing.assert_allclose(X, images[raw] / 255, rtol=1e-6)


def test_scale_leaves_other_dtypes(tmp_path):
    X = np.arange(4).reshape(2, 2)
    dataset = load_arrays(save(tmp_path / "a.npz", X=X, y=X[0]), scale=True)
    assert dataset.X.dtype == X.dtype


@pytest.mark.parametrize("folder", ["", "tabular"])
def test_a_name_is_looked_up_in_the_data_home(tmp_path, monkeypatch, folder):
    save(tmp_path / folder / "mine.npz", X=np.ones((2, 1)), y=np.ones(2))
    assert load_arrays("mine", data_home=tmp_path).name == "mine"
    monkeypatch.setenv("SKLEARN_PB_DATA", str(tmp_path))
    assert load_arrays("mine").name == "mine"


def test_the_argument_wins_over_the_environment(tmp_path, monkeypatch):
    for home, value in (("here", 1.0), ("there", 2.0)):
        save(tmp_path / home / "mine.npz", X=np.full((2, 1), value), y=np.ones(2))
    monkeypatch.setenv("SKLEARN_PB_DATA", str(tmp_path / "there"))
    assert load_arrays("mine", data_home=tmp_path / "here").X[0, 0] == 1.0


@pytest.mark.parametrize(
    "name", ["digits", "breast_cancer", "wine", "iris", "diabetes"]
)
def test_embedded_sets(name):
    dataset = load_arrays(name)
    assert dataset.name == name
    assert len(dataset.X) == len(dataset.y)


def test_embedded_names_do_not_depend_on_the_data_home(tmp_path):
    save(tmp_path / "digits.npz", X=np.ones((2, 1)), y=np.ones(2))
    dataset = load_arrays("digits", data_home=tmp_path)
    np.testing.assert_array_equal(dataset.X, load_digits().data)


def test_a_missing_name_lists_where_it_looked(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_arrays("nowhere", data_home=tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "nowhere.npz") in message
    assert str(tmp_path / "tabular" / "nowhere.npz") in message
    assert "digits" in message


def test_a_name_without_a_data_home_says_what_to_set(monkeypatch):
    monkeypatch.delenv("SKLEARN_PB_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="SKLEARN_PB_DATA"):
        load_arrays("nowhere")


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz"):
        load_arrays(tmp_path / "nothing.npz")


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        (("X", "target"), "lacks y; it holds"),
        (("X_train", "y"), "lacks y_train"),
        (("words", "target"), "lacks X and y"),
        (("X", "y", "X_test"), "lacks y_test"),
    ],
)
def test_missing_arrays_are_named_with_those_found(tmp_path, keys, missing):
    path = save(tmp_path / "bad.npz", **{key: np.ones((2, 2)) for key in keys})
    with pytest.raises(ValueError, match=missing) as caught:
        load_arrays(path)
    assert all(key in str(caught.value) for key in keys)


def test_different_lengths_are_refused(tmp_path):
    path = save(tmp_path / "bad.npz", X=np.ones((3, 2)), y=np.ones(2))
    with pytest.raises(ValueError, match=r"\(3, 2\) and y \(2,\).*same length"):
        load_arrays(path)


def test_objects_are_never_unpickled(tmp_path):
    path = save(tmp_path / "bad.npz", X=np.ones((2, 1)), y=np.array([{}, {}]))
    with pytest.raises(ValueError, match="cannot be read"):
        load_arrays(path)


def test_other_files_are_refused(tmp_path):
    text, array = tmp_path / "text.npz", tmp_path / "array.npy"
    text.write_text("no arrays here")
    np.save(array, np.ones(3))
    for path in (text, array):
        with pytest.raises(ValueError, match=r"not a \.npz file"):
            load_arrays(path)


def test_a_source_is_a_path_or_a_name():
    with pytest.raises(TypeError, match=r"source must be a path or the name.*3"):
        load_arrays(3)
