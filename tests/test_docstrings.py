"""Every public name is documented in numpydoc style, found by introspection.

A name is public when it stands in ``__all__`` of the package or of one of its
public subpackages. Functions and classes are held to the full form. A public method
needs a summary, and where it lists its parameters it must list them all.
"""

import importlib
import inspect
import pkgutil
import re
from enum import Enum

import pytest
from numpydoc.docscrape import NumpyDocString
from sklearn.base import BaseEstimator

import sklearn_pb

PACKAGE = "sklearn_pb"
WITHOUT_PUBLIC_NAMES = {"cli"}


def public_modules():
    """The package itself, then its public subpackages and modules, by name."""
    found = (module.name for module in pkgutil.iter_modules(sklearn_pb.__path__))
    names = (name for name in sorted(found) if not name.startswith("_"))
    return [PACKAGE, *(f"{PACKAGE}.{name}" for name in names)]


def public_objects():
    """Each public function and class once, under the first name it is met by."""
    objects = {}
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isroutine(value):
                objects.setdefault(value, f"{module_name}.{name}")
    return {name: value for value, name in objects.items()}


def public_methods(cls):
    """Methods and properties that our own classes define on `cls`, by name."""
    for name in dir(cls):
        owner = next((base for base in cls.__mro__ if name in vars(base)), object)
        if name.startswith("_") or not owner.__module__.startswith(PACKAGE):
            continue
        value = inspect.getattr_static(cls, name)
        value = getattr(value, "__func__", value)  # static and class methods
        value = getattr(value, "fn", value)  # available_if
        if inspect.isfunction(value) or isinstance(value, property):
            yield name, value


def signature_parameters(value):
    """Names in the signature as numpydoc writes them, stars included."""
    stars = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    names = [
        stars.get(parameter.kind, "") + parameter.name
        for parameter in inspect.signature(value).parameters.values()
    ]
    return [name for name in names if name not in ("self", "cls") and name[0] != "_"]


def has_own_constructor(cls):
    """Whether our code says how `cls` is made, so that its signature is ours."""
    if issubclass(cls, Enum) or getattr(cls, "_is_protocol", False):
        return False
    return getattr(cls.__init__, "__module__", "").startswith(PACKAGE)


def documented_parameters(doc):
    """Names in the Parameters sections; one entry may hold several."""
    entries = [*doc["Parameters"], *doc["Other Parameters"]]
    return [name.strip() for entry in entries for name in entry.name.split(",")]


def returns_something(function):
    """Whether the annotation promises a value."""
    annotation = inspect.signature(function).return_annotation
    nothing = ("None", "NoReturn", "Never")
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] not in nothing
    return annotation not in (None, inspect.Signature.empty) and (
        getattr(annotation, "__name__", "") not in nothing
    )


def summary_faults(doc):
    if not doc["Summary"] or not doc["Summary"][0]:
        return ["no summary line"]
    if not doc["Summary"][0].endswith("."):
        return [f"first line does not end with a period: {doc['Summary'][0]!r}"]
    return []


def parameter_faults(doc, value):
    documented, expected = documented_parameters(doc), signature_parameters(value)
    if documented != expected:
        return [f"parameters documented: {documented}, in the signature: {expected}"]
    return []


def function_faults(function):
    doc = NumpyDocString(inspect.getdoc(function) or "")
    faults = summary_faults(doc) + parameter_faults(doc, function)
    if returns_something(function) and not (doc["Returns"] or doc["Yields"]):
        faults.append("a value is returned, but there is no Returns section")
    return faults


def method_faults(owner, name, value):
    # The owner is asked, so that an override may inherit what it does not change.
    doc = NumpyDocString(inspect.getdoc(getattr(owner, name)) or "")
    faults = summary_faults(doc)
    if not isinstance(value, property) and documented_parameters(doc):
        faults += parameter_faults(doc, value)
    return [f"{name}: {fault}" for fault in faults]


def class_faults(cls):
    # Not inspect.getdoc: a class must not live on its parent's docstring.
    doc = NumpyDocString(inspect.cleandoc(vars(cls).get("__doc__") or ""))
    faults = summary_faults(doc)
    if has_own_constructor(cls):
        faults += parameter_faults(doc, cls)
    is_estimator = issubclass(cls, BaseEstimator) and hasattr(cls, "fit")
    if is_estimator and not doc["Attributes"]:
        faults.append("an estimator without an Attributes section")
    for name, value in public_methods(cls):
        faults += method_faults(cls, name, value)
    return faults


def docstring_faults(value):
    return class_faults(value) if inspect.isclass(value) else function_faults(value)


@pytest.mark.parametrize("module_name", public_modules())
def test_module_says_what_it_is_and_what_is_public(module_name):
    module = importlib.import_module(module_name)
    assert (module.__doc__ or "").strip(), f"{module_name} has no docstring"
    if module_name.rpartition(".")[2] not in WITHOUT_PUBLIC_NAMES:
        assert hasattr(module, "__all__"), f"{module_name} has no __all__"


@pytest.mark.parametrize("name", public_objects())
def test_docstring(name):
    faults = docstring_faults(public_objects()[name])
    assert not faults, f"\n{name}:\n  " + "\n  ".join(faults)


# The checker itself.


def documented(x, *args, y=1, **kwargs) -> int:
    """Add things up.

    Parameters
    ----------
    x, *args : int
        What to add.
    y : int
        More to add.
    **kwargs : int
        Still more.

    Returns
    -------
    int
        The sum.
    """
    return x


def no_period(x):
    """Add things up

    Parameters
    ----------
    x : int
        A number.
    """


def wrong_order(x, y):
    """Add things up.

    Parameters
    ----------
    y : int
        A number.
    x : int
        A number.
    """


def no_returns() -> int:
    """Add things up."""
    return 1


class Undocumented(BaseEstimator):
    """Learn something."""

    def fit(self, X, y=None):
        """Learn

        Parameters
        ----------
        X : array
            The data.
        """

    @property
    def size_(self):
        return 1


def test_checker_accepts_good_docstrings():
    assert docstring_faults(documented) == []


@pytest.mark.parametrize(
    "value, message",
    [
        (no_period, "does not end with a period"),
        (wrong_order, r"documented: \['y', 'x'\], in the signature: \['x', 'y'\]"),
        (no_returns, "no Returns section"),
        (Undocumented, "without an Attributes section"),
    ],
)
def test_checker_finds_faults(value, message):
    (fault,) = docstring_faults(value)
    assert re.search(message, fault)


def test_checker_looks_into_methods(monkeypatch):
    monkeypatch.setattr(Undocumented, "__module__", f"{PACKAGE}.somewhere")
    faults = "\n".join(class_faults(Undocumented))
    assert "fit: first line does not end with a period" in faults
    assert "fit: parameters documented: ['X']" in faults
    assert "size_: no summary line" in faults
