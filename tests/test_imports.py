"""The order of the house: imports go downwards, and no two modules need each other.

Every import counts, also those inside a function or under TYPE_CHECKING. Nothing is imported to find out.
"""

import ast
import graphlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from frustration.version import PACKAGE

FLOORS = (
    ("errors", "version", "sinks", "callable_package"),
    ("typed", "files", "archive", "architecture", "policy", "metric", "dataset"),
    ("references", "streams", "simple_mlp", "statistics"),
    ("protocols",),
    ("network",),
    ("sealed", "sealed_json", "dendrites"),
    ("modes",),
    ("spec", "treatment", "inert", "controls"),
    ("record", "record_reading", "record_head"),
    ("curve_file", "checkpoint_fields"),
    ("any_network", "engine", "original.pickles"),
    ("loops", "saved"),
    ("checkpoint", "model_directory"),
    ("runners", "request"),
    ("continuation", "trackers"),
    ("session", "study"),
    ("probes",),
    ("report", "original"),
    ("cloud",),
    ("original.cloud_layout", "original.cloud_markdown", "face", "terminal"),
    ("api", "testing"),
    ("integration", "commands", "frustration"),
    ("problems",),
    ("original.commands", "original.generate_reproduction_tests", "__main__"),
)
"""From the ground up; a module may use its own floor and those below.

What `original` keeps are forms of the original project, each on the floor where it is used.
"""
LOADED = {
    ("references", "any_network"),  # a reference gives the problem that it names
    ("references", "protocols"),
    ("any_network", "engine.module.shape"),  # and a problem the shape of its network
    ("integration.end", "integration.plain"),  # parts of one edit name the type of the whole
    ("integration.loop_edits", "integration.plain"),
    ("integration.half_done", "integration.loop_edits"),
    ("integration.account", "integration.plain"),
}
"""Pairs that look for each other at run time."""
ROOMS = {name: height for height, floor in enumerate(FLOORS) for name in floor}


def modules(package: Path) -> dict[str, Path]:
    """Path by dotted name without the package's own, which is "frustration" for the package itself."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "frustration"] = path
    return found


def imports(path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """What a file imports from the package, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            head, _, inner = name.partition(".")
            if head == "frustration":
                yield next((one for one in (inner, inner.rpartition(".")[0]) if one in known), "frustration")


def room(module: str) -> str:
    """The room that a module is in: the longest name in FLOORS that its own begins with."""
    inside = [one for one in ROOMS if module == one or module.startswith(f"{one}.")]
    assert inside, f"{module} has no place in the order of imports"
    return max(inside, key=len)


def height(module: str) -> int:
    return ROOMS[room(module)]


def upward(graph: Mapping[str, set[str]]) -> list[str]:
    return [f"{a} -> {b}" for a, used in graph.items() for b in sorted(used) if height(b) > height(a)]


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules(PACKAGE)
    found = {name: set(imports(path, known)) - {name} for name, path in known.items()}
    for above, below in LOADED:
        found[above].remove(below)
    return found


def test_no_import_goes_upwards(graph):
    assert upward(graph) == []


def test_no_modules_import_each_other_in_a_circle(graph):
    tuple(graphlib.TopologicalSorter(graph).static_order())  # CycleError names the circle


def test_every_room_is_there(graph):
    assert {room(module) for module in graph} == ROOMS.keys()


def test_an_import_in_a_function_or_for_types_alone_counts(tmp_path):
    for name, text in {
        "errors": "def f():\n    from frustration.engine.loop import MetaLoop\n",
        "engine/loop": "if TYPE_CHECKING:\n    import frustration.errors\n",
    }.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    known = modules(tmp_path)
    found = {name: set(imports(path, known)) for name, path in known.items()}
    assert upward(found) == ["errors -> engine.loop"]
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter(found).prepare()
