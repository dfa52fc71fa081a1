"""Sphinx's settings, and the API pages written from every ``__all__``."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import sklearn_pb

project = "sklearn_pb"
author = "The sklearn_pb developers"
copyright = f"2026, {author}"
version = release = importlib.import_module("sklearn_pb._version").__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "alabaster"
html_theme_options = {"description": "Pseudo-Boolean optimisation for scikit-learn"}
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# Types are in the docstrings, and what scikit-learn or torch wrote about the methods
# that we inherit is in their documentation, whose links do not resolve here.
autodoc_typehints = "none"
autodoc_inherit_docstrings = False
numpydoc_show_class_members = False

API = Path(__file__).parent / "api"


def skip_generated_method(app, what, name, obj, skip, options):
    """Leave out the set_*_request methods that scikit-learn adds to our classes."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def api_page(module, names):
    """Text of the page of one public module."""
    name = module.__name__
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", ""]
    lines += [f".. currentmodule:: {name}", ""]
    if names:
        lines += [".. autosummary::", "   :toctree: generated", ""]
        lines += [f"   {entry}" for entry in names]
    return "\n".join(lines) + "\n"


def write_api_pages():
    """Write a page for the package and for each of its public modules.

    A name that the package itself offers is described there and not a second time
    on the page of the room that it comes from.
    """
    API.mkdir(exist_ok=True)
    found = sorted(module.name for module in pkgutil.iter_modules(sklearn_pb.__path__))
    rooms = [f"sklearn_pb.{name}" for name in found if not name.startswith("_")]
    described, pages = [], set()
    for module_name in ["sklearn_pb", *rooms]:
        module = importlib.import_module(module_name)
        names = []
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if inspect.ismodule(value) or any(value is other for other in described):
                continue
            described.append(value)
            names.append(name)
        page = API / f"{module_name}.rst"
        pages.add(page)
        text = api_page(module, names)
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
    for stale in set(API.glob("*.rst")) - pages:
        stale.unlink()


def setup(app):
    """Hook into the build."""
    write_api_pages()
    app.connect("autodoc-skip-member", skip_generated_method)
