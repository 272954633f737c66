"""Packages import packages of lower layers only, and what must not be reached is not."""

import ast
from functools import cache
from pathlib import Path

import pytest

import helpers

ROOT = Path(helpers.__file__).resolve().parent

# From the lowest: a package imports those of lines below it, never its own line's neighbours.
LAYERS = (
    ("core",),
    ("model",),
    ("checkpoints", "data"),
    ("metrics", "runs"),
    ("prediction",),
    ("evaluation",),
    ("review",),
    ("stages",),
    ("notebook", "train"),
    ("dev",),
    ("cli",),
    ("api",),
)
RANK = {package: rank for rank, layer in enumerate(LAYERS) for package in layer}
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


@cache
def imported(module: str) -> frozenset[str]:
    """Modules of the kit that a module imports anywhere in its text, the packages above them included."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names |= {source, *(f"{source}.{alias.name}" for alias in node.names)}
    parents = {".".join(name.split(".")[:end]) for name in names for end in range(1, name.count(".") + 2)}
    return frozenset(parents & MODULES.keys())


def reached(start: set[str]) -> dict[str, str]:
    """Every module that can be reached, with the one that imports it first; not through the root's own file."""
    by, waiting = dict.fromkeys(start, ""), sorted(start)
    while waiting:
        module = waiting.pop()
        for other in sorted(imported(module) - by.keys() - {"helpers"}):
            by[other] = module
            waiting.append(other)
    return by


def modules_of(*packages: str) -> set[str]:
    """The modules below packages, without the packages' own files."""
    return {
        name
        for name, path in MODULES.items()
        if path.name != "__init__.py" and any(name.startswith(f"helpers.{package}.") for package in packages)
    }


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_every_package_has_its_layer():
    assert set(RANK) == {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py"}


def test_data_flows_one_way():
    wrong = [
        f"{module} imports {other}"
        for module in sorted(modules_of(*RANK))
        for other in sorted(imported(module))
        if package_of(other) not in ("", package_of(module)) and RANK[package_of(other)] >= RANK[package_of(module)]
    ]
    assert wrong == []


def test_prediction_reaches_no_ground_truth():
    start = modules_of("prediction") - modules_of("prediction.imports")
    by = reached(start)
    data = {name for name in by if package_of(name) == "data"} - {"helpers.data"}
    assert all(name.startswith("helpers.data.frames") for name in data), {name: by[name] for name in data}
    assert not [name for name in by if package_of(name) in ("metrics", "evaluation", "review")]
    assert not [name for name in by if name.startswith("helpers.prediction.imports")]
    for name in start:
        text = MODULES[name].read_text(encoding="utf-8")
        assert "import_module" not in text and "__import__" not in text and "Truth" not in text, name


# What must not be reached, by any chain of imports.
NEVER = {
    "what scores does not predict": (
        ("evaluation", "review"),
        ("checkpoints", "prediction"),
        ("evaluation.leakage", "helpers.evaluation.frangi_tuning"),
    ),
    "metrics know no files": (("metrics",), ("checkpoints", "prediction", "runs", "evaluation"), ()),
    "an export stands alone": (("model",), tuple(set(RANK) - {"model"}), ("model.quantization",)),
    "readers of checkpoints know no model": (("checkpoints.read",), tuple(set(RANK) - {"core", "checkpoints"}), ()),
}


@pytest.mark.parametrize("rule", sorted(NEVER))
def test_what_must_not_be_reached_is_not(rule):
    packages, others, but = NEVER[rule]
    by = reached(modules_of(*packages) - modules_of(*but) - set(but))
    assert {name: by[name] for name in by if package_of(name) in others} == {}


def test_metrics_know_no_tables():
    for name in modules_of("metrics"):
        assert "pandas" not in MODULES[name].read_text(encoding="utf-8"), name


def test_only_what_makes_the_demo_reaches_training():
    training = modules_of("train.fine_tuning")
    reaching = {package_of(name) for name in modules_of(*RANK) - modules_of("train") if training & imported(name)}
    assert reaching <= {"dev", "cli"}


def test_the_search_finds_what_it_should():
    assert {"helpers.prediction.run", "helpers.prediction.engine.batch_pipeline"} <= modules_of("prediction")
    assert "helpers.data.cases" in reached({"helpers.data.dataset"})
    assert "helpers.data.frames.frame_source" in reached(modules_of("prediction"))
