"""Inference and the vesselness baseline cannot read ground truth: of helpers.data they reach the module of `Frame`."""

import ast
from functools import cache
from pathlib import Path

import pytest

import helpers

ROOT = Path(helpers.__file__).resolve().parent
ALLOWED = {"helpers.data", "helpers.data.frame"}


@cache
def module_file(name: str) -> Path | None:
    """The source of a module of the kit; None for what is no module, such as a function's name."""
    path = ROOT.parent.joinpath(*name.split("."))
    found = [path.with_suffix(".py"), path / "__init__.py"]
    return next((file for file in found if file.is_file()), None)


@cache
def imported(name: str) -> frozenset[str]:
    """Modules of the kit that a module (no package) imports anywhere in its text, packages above them included."""
    names = set()
    for node in ast.walk(ast.parse(module_file(name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = name.split(".")[: name.count(".") + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    parents = {".".join(found.split(".")[:end]) for found in names for end in range(1, found.count(".") + 2)}
    return frozenset(found for found in parents if found.split(".")[0] == "helpers" and module_file(found))


def reached(start: set[str]) -> dict[str, str]:
    """Every module that can be reached, with the one that imports it first."""
    found, waiting = dict.fromkeys(start, ""), sorted(start)
    while waiting:
        name = waiting.pop()
        for other in sorted(imported(name) - found.keys()):
            found[other] = name
            waiting.append(other)
    return found


def inference_modules(*packages: str) -> set[str]:
    return {
        f"helpers.{package}.{path.stem}"
        for package in packages or ("inference", "vesselness")
        for path in (ROOT / package).glob("*.py")
        if path.stem != "__init__"
    }


@pytest.mark.parametrize("package", ["inference", "vesselness"])
def test_no_ground_truth_within_reach(package):
    found = reached(inference_modules(package))
    data = {name: by for name, by in found.items() if name.split(".")[:2] == ["helpers", "data"]}
    assert set(data) <= ALLOWED, data
    assert not [name for name in found if name.split(".")[1:2] in (["tuning"], ["evaluation"], ["importing"])]


def test_packages_import_no_neighbours():
    """`imported` reads a relative import as that of a plain module, which is wrong for a package's own file."""
    for path in ROOT.rglob("__init__.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level], path.parent.name


def test_no_dynamic_imports():
    for name in inference_modules():
        text = module_file(name).read_text(encoding="utf-8")
        assert "import_module" not in text and "__import__" not in text and "Truth" not in text, name


def test_the_search_finds_what_it_should():
    assert {
        "helpers.vesselness.maps",
        "helpers.inference.run",
        "helpers.inference.pipeline",
        "helpers.inference.sa2va",
    } <= inference_modules()
    assert "helpers.data.record" in reached({"helpers.data.dataset"})
    assert "helpers.images.source" in reached(inference_modules())
