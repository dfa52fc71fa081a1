"""The house keeps its order: who may import whom, read from the source itself.

Nothing is imported here. Every module of the package is parsed, each import
statement becomes an `Import`, and each rule is a function from the list of them to
a list of faults. Imports inside functions and under ``TYPE_CHECKING`` count as
well: a room that has to look downstairs is in the wrong place, whenever it looks.
"""

import ast
import graphlib
import importlib.util
import itertools
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "sklearn_pb"
TOP = "__init__"  # the package's own __init__, which re-exports from the rooms

# From the top floor to the ground: a room may import only from rooms before it.
FLOORS = (
    "exceptions",
    "utils",
    "kernels",
    "functions",
    "distributions",
    "schedules",
    "budget",
    "gradients",
    "constraints",
    "methods",
    "solvers",
    "quantizers",
    "binary",
    "sharing",
    "optim",
    "export",
    "masks",
    "training",
    "tickets",
    "estimators",
    "inspection",
    "datasets",
    "testing",
    "cli",
    "__main__",
)
HEIGHT = {room: floor for floor, room in enumerate(FLOORS)}
# The re-exporting top stands between the rooms and the command line.
HEIGHT[TOP] = HEIGHT["cli"] - 0.5
EVERYONE_MAY_IMPORT = {"_version"}
COMPAT_MODULE = f"{PACKAGE}.utils._sklearn"


@dataclass(frozen=True)
class Import:
    """One imported name and where it is imported."""

    source: str  # the importing module, dotted
    target: str  # our module, or the full dotted name of somebody else's
    where: str  # file:line
    at_import_time: bool  # runs when the module is imported

    @property
    def ours(self) -> bool:
        return _is_within(self.target, PACKAGE)


@dataclass(frozen=True)
class House:
    """All modules of a package tree with what they import."""

    modules: dict[str, Path]
    imports: list[Import]


def _is_within(name: str, parent: str) -> bool:
    return name == parent or name.startswith(parent + ".")


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else TOP


def _find_modules(package: Path) -> dict[str, Path]:
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = [PACKAGE, *path.relative_to(package).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        modules[".".join(parts)] = path
    return modules


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _walk(node: ast.AST, runs: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    """Every node below `node`, with whether it runs at import time."""
    later = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    for child in ast.iter_child_nodes(node):
        child_runs = runs and not isinstance(node, later)
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            child_runs = runs and child in node.orelse
        yield child, child_runs
        yield from _walk(child, child_runs)


def _from_module(node: ast.ImportFrom, source: str, is_package: bool) -> str:
    """The absolute name of the module that a ``from ... import`` names."""
    if not node.level:
        return node.module or ""
    parts = source.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, node.module] if node.module else parts)


def _imported_names(tree: ast.Module, source: str, is_package: bool):
    """Yield (full dotted name, name bound here, line, runs at import time)."""
    for node, runs in _walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.split(".")[0]
                yield alias.name, bound, node.lineno, runs
        elif isinstance(node, ast.ImportFrom):
            module = _from_module(node, source, is_package)
            for alias in node.names:
                name = module if alias.name == "*" else f"{module}.{alias.name}"
                yield name, alias.asname or alias.name, node.lineno, runs


def _used_attributes(tree: ast.Module, meaning: dict[str, str]):
    """Yield (full dotted name, line) of attributes read from imported names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, *rest = ast.unparse(node).split(".")
            if first in meaning and all(part.isidentifier() for part in rest):
                yield ".".join([meaning[first], *rest]), node.lineno


def _our_module(name: str, modules: dict[str, Path]) -> str:
    """Our module that `name` is, or that it is taken from."""
    while name not in modules and "." in name:
        name = name.rpartition(".")[0]
    return name


def read_house(package: Path) -> House:
    """Parse all modules under `package` and collect what they import."""
    modules = _find_modules(package)
    imports = []
    for source, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        file = path.relative_to(package.parent).as_posix()
        meaning = {}
        is_package = path.name == "__init__.py"
        for name, bound, line, runs in _imported_names(tree, source, is_package):
            target = _our_module(name, modules) if _is_within(name, PACKAGE) else name
            imports.append(Import(source, target, f"{file}:{line}", runs))
            # "import a.b" binds a, "from a import b" and "import a.b as c" bind a.b.
            meaning[bound] = bound if name.startswith(bound + ".") else name
        for name, line in _used_attributes(tree, meaning):
            if _is_within(name, "sklearn"):
                imports.append(Import(source, name, f"{file}:{line}", False))
    return House(modules, imports)


def unknown_rooms(house: House) -> list[str]:
    rooms = {_room(module): path for module, path in house.modules.items()}
    return [
        f"{path}: room '{room}' is not in the list of floors; decide where it "
        "stands and add it to FLOORS and to doc/design.md"
        for room, path in rooms.items()
        if room not in HEIGHT and room not in EVERYONE_MAY_IMPORT
    ]


def upward_imports(house: House) -> list[str]:
    faults = []
    for item in house.imports:
        if not item.ours:
            continue
        source, target = _room(item.source), _room(item.target)
        exempt = source in (TOP, target) or target in EVERYONE_MAY_IMPORT
        known = source in HEIGHT and target in HEIGHT
        if known and not exempt and HEIGHT[target] > HEIGHT[source]:
            faults.append(
                f"{item.where}: room '{source}' imports {item.target}, but room "
                f"'{target}' stands below it"
            )
    return faults


def import_cycles(house: House) -> list[str]:
    graph: dict[str, set[str]] = {module: set() for module in house.modules}
    where = {}
    for item in house.imports:
        if item.ours:
            graph[item.source].add(item.target)
            where.setdefault((item.source, item.target), item.where)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        cycle = error.args[1][::-1]  # graphlib lists the imported one first
        steps = [
            f"{where[source, target]}: {source} (room '{_room(source)}') imports "
            f"{target} (room '{_room(target)}')"
            for source, target in itertools.pairwise(cycle)
        ]
        return ["import cycle\n    " + "\n    ".join(steps)]
    return []


def skorch_outside_training(house: House) -> list[str]:
    return [
        f"{item.where}: room '{_room(item.source)}' imports skorch, which only "
        "room 'training' may do"
        for item in house.imports
        if _is_within(item.target, "skorch") and _room(item.source) != "training"
    ]


def private_sklearn_names(house: House) -> list[str]:
    def is_private(name: str) -> bool:
        return any(re.match(r"_(?!_.*__$)", part) for part in name.split("."))

    return [
        f"{item.where}: room '{_room(item.source)}' uses the private name "
        f"{item.target}; take it from {COMPAT_MODULE} (room 'utils')"
        for item in house.imports
        if _is_within(item.target, "sklearn")
        and is_private(item.target)
        and item.source != COMPAT_MODULE
    ]


def optim_imports_of_ours(house: House) -> list[str]:
    return [
        f"{item.where}: room 'optim' imports {item.target} (room "
        f"'{_room(item.target)}'), but it must stand alone"
        for item in house.imports
        if _room(item.source) == "optim" and item.ours and _room(item.target) != "optim"
    ]


def eager_matplotlib(house: House) -> list[str]:
    return [
        f"{item.where}: room '{_room(item.source)}' imports matplotlib when it is "
        "imported; move it into the function that draws"
        for item in house.imports
        if item.at_import_time and _is_within(item.target, "matplotlib")
    ]


RULES = (
    unknown_rooms,
    upward_imports,
    import_cycles,
    skorch_outside_training,
    private_sklearn_names,
    optim_imports_of_ours,
    eager_matplotlib,
)


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.find_spec(PACKAGE)
    return read_house(Path(next(iter(spec.submodule_search_locations))))


@pytest.mark.parametrize("rule", RULES)
def test_package(rule, house):
    faults = rule(house)
    assert not faults, "\n" + "\n".join(faults)


def test_design_page_lists_the_same_floors():
    page = Path(__file__).parents[1] / "doc" / "design.md"
    block = page.read_text(encoding="utf-8").split("```text")[1].split("```")[0]
    assert tuple(line.split()[0] for line in block.strip().splitlines()) == FLOORS


# The checker itself: each rule finds its planted fault and nothing else does.

CLEAN = {
    "__init__.py": "from .methods import search\nfrom ._version import __version__",
    "_version.py": "__version__ = '1'",
    "utils/__init__.py": "from ._sklearn import _fit_context",
    "utils/_sklearn.py": "from sklearn.base import _fit_context",
    "gradients/__init__.py": "from ._arms import arms",
    "gradients/_arms.py": "from ..utils import _fit_context\nfrom . import _common",
    "gradients/_common.py": "import sklearn\nsklearn.__version__",
    "methods/__init__.py": "import sklearn_pb.gradients\nfrom .._version import *",
    "optim/__init__.py": "from ._avagrad import AvaGrad",
    "optim/_avagrad.py": "import torch",
    "training/__init__.py": "from skorch.callbacks import Callback",
    "inspection/__init__.py": """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from matplotlib.axes import Axes
        def draw():
            import matplotlib.pyplot as plt
        """,
    "cli/__init__.py": "from sklearn_pb import search",
    "__main__.py": "from sklearn_pb.cli import main",
}


def plant(root: Path, files: dict[str, str]) -> House:
    for name, source in files.items():
        path = root / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
    return read_house(root / PACKAGE)


def test_checker_accepts_a_clean_house(tmp_path):
    house = plant(tmp_path, CLEAN)
    assert [fault for rule in RULES for fault in rule(house)] == []


PLANTED = {
    "upward": (
        {"gradients/_new.py": "import torch\nfrom ..methods import search"},
        upward_imports,
        "gradients/_new.py:2: room 'gradients' imports sklearn_pb.methods, "
        "but room 'methods'",
    ),
    "upward, lazily and absolute": (
        {"utils/_new.py": "def f():\n    import sklearn_pb.training as t"},
        upward_imports,
        "utils/_new.py:2: room 'utils' imports sklearn_pb.training",
    ),
    "upward, through the top": (
        {"optim/_new.py": "", "datasets/__init__.py": "from .. import search"},
        upward_imports,
        "datasets/__init__.py:1: room 'datasets' imports sklearn_pb, "
        "but room '__init__'",
    ),
    "cycle between siblings": (
        {
            "gradients/_a.py": "from ._b import b",
            "gradients/_b.py": "def f():\n    from ._a import a",
        },
        import_cycles,
        "gradients/_b.py:2: sklearn_pb.gradients._b (room 'gradients') imports "
        "sklearn_pb.gradients._a (room 'gradients')",
    ),
    "cycle through the package's own init": (
        {"gradients/_arms.py": "from sklearn_pb.gradients import helper"},
        import_cycles,
        "gradients/_arms.py:1: sklearn_pb.gradients._arms (room 'gradients') "
        "imports sklearn_pb.gradients",
    ),
    "skorch": (
        {"export/__init__.py": "def f():\n    import skorch.net"},
        skorch_outside_training,
        "export/__init__.py:2: room 'export' imports skorch",
    ),
    "private module": (
        {"methods/_new.py": "from sklearn.utils._param_validation import Interval"},
        private_sklearn_names,
        "methods/_new.py:1: room 'methods' uses the private name "
        "sklearn.utils._param_validation.Interval",
    ),
    "private name": (
        {"training/_new.py": "from sklearn.base import _fit_context"},
        private_sklearn_names,
        "training/_new.py:1: room 'training' uses the private name "
        "sklearn.base._fit_context",
    ),
    "private attribute": (
        {"utils/_new.py": "from sklearn import base as b\nb._fit_context"},
        private_sklearn_names,
        "utils/_new.py:2: room 'utils' uses the private name sklearn.base._fit_context",
    ),
    "optim": (
        {"optim/_new.py": "from ..exceptions import E", "exceptions.py": "E = 1"},
        optim_imports_of_ours,
        "optim/_new.py:1: room 'optim' imports sklearn_pb.exceptions "
        "(room 'exceptions')",
    ),
    "matplotlib": (
        {"inspection/_new.py": "try:\n    import matplotlib\nfinally:\n    pass"},
        eager_matplotlib,
        "inspection/_new.py:2: room 'inspection' imports matplotlib",
    ),
    "unknown room": (
        {"attic/__init__.py": ""},
        unknown_rooms,
        "room 'attic' is not in the list of floors",
    ),
}


@pytest.mark.parametrize("files, rule, message", PLANTED.values(), ids=PLANTED)
def test_checker_finds_a_planted_fault(tmp_path, files, rule, message):
    house = plant(tmp_path, CLEAN | files)
    found = rule(house)
    assert len(found) == 1
    assert message in found[0]
