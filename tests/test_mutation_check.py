"""The mutation check: which faults it makes, which tests it runs, and that it goes on where it was stopped."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.mutants import Mutant, mutants, mutated, sample
from scripts.mutation_check import NEXT_RING, report, results, rings

ROOT = Path(__file__).resolve().parents[1]
AREA = """\
def is_large(height, width, least=6):
    return height * width >= least


def unused():
    return "nobody calls this"
"""
AREA_TEST = """\
from helpers.shapes import area


def test_area():
    assert area.is_large(2, 3) and not area.is_large(5, 1)
"""


def found(source):
    return [(one.before, one.after) for one in mutants("m.py", ast.parse(source))]


FAULTS = {
    "x = a < b": ["x = a <= b", "x = a >= b"],
    "x = a == b != c": ["x = a != b != c", "x = a == b == c"],
    "x = a + b": ["x = a - b"],
    "x -= y": ["x += y"],
    "x = a and b": ["x = a or b"],
    "x = not a": ["x = a"],
    "x = -a": ["x = a"],
    "x = 4": ["x = 5", "x = 3"],
    "x = 0.5": ["x = 1.5", "x = -0.5"],
    "x = True": ["x = False"],
    "x = 'name'": ["x = 'xname'"],
    "x = f'{name}_low'": ["x = f'{name}x_low'"],
    "f(x)": ["pass"],
    "x = a[b:c]": ["x = a[:c]", "x = a[b:]"],
    "x = a if b else c": ["x = a if not b else c"],
    "x = [a for a in b if c]": ["x = [a for a in b if not c]"],
    "x = f(key=None)": [],
}


def test_faults():
    assert {source: found(source) for source in FAULTS} == {
        source: [(source, fault) for fault in faults] for source, faults in FAULTS.items()
    }


def test_faults_of_a_function():
    source = "def f(a, b=True):\n    if a:\n        raise ValueError(a + 1)\n    return b"
    assert found(source) == [
        ("def f(a, b=True):", "def f(a, b=False):"),
        ("if a:", "if not a:"),
        ("raise ValueError(a + 1)", "pass"),
        ("return b", "return None"),
    ]


LEFT_ALONE = [
    '"""Of the module."""',
    'x: Literal["a"]',
    'def f(a: Literal["a"]) -> Literal["b"]:\n    """Of a function."""\n    return None',
    "@cache(maxsize=1)\nclass A:\n    pass",
    "x = 'words for people'",
    "x = f'{name}: {value}'",
    "x = f'{value:.2f}'",
]


def test_what_is_left_alone():
    assert {source: faults for source in LEFT_ALONE if (faults := found(source))} == {}


def test_the_tree_is_as_it_was_after_each():
    tree = ast.parse(AREA)
    written = [ast.unparse(tree) for _ in mutants("m.py", tree)]
    assert len(set(written)) == len(written) == 7
    assert ast.unparse(tree) == ast.unparse(ast.parse(AREA))


def test_of_equal_faults_each_is_made():
    first, second = (mutated(one, b"x = a * b\nx = a * b\n") for one in mutants("m.py", ast.parse("x = a * b\n" * 2)))
    assert (first, second) == ("x = a / b\nx = a * b", "x = a * b\nx = a / b")


def test_a_long_line_is_shown_around_the_difference():
    before = f"x = ({'a, ' * 50}1, {'b, ' * 50})"
    shown = str(Mutant("m.py", 3, before, before.replace("1", "2")))
    assert shown.startswith("m.py:3 ") and "a, 1, b" in shown and "a, 2, b" in shown and len(shown) < 200


@pytest.fixture
def checkout(tmp_path):
    """A package `shapes` of one module with a mirror test, and one module that it imports."""
    for name in ("helpers/shapes", "tests/shapes"):
        (tmp_path / name).mkdir(parents=True)
        for folder in (tmp_path / name, (tmp_path / name).parent):
            (folder / "__init__.py").touch()
    (tmp_path / "helpers/shapes/area.py").write_text(AREA)
    (tmp_path / "tests/shapes/test_area.py").write_text(AREA_TEST)
    return tmp_path


def test_modules_have_their_share_of_a_sample(checkout):
    (checkout / "helpers/shapes/long.py").write_text("".join(f"x{n} = a + b\n" for n in range(21)))
    chosen, total = sample(checkout, "shapes", 8, seed=0)
    assert total == 28 and len(set(chosen)) == 8
    assert sum(one.path.endswith("area.py") for one in chosen) == 2
    assert sample(checkout, "shapes", 8, seed=0)[0] == chosen != sample(checkout, "shapes", 8, seed=1)[0]
    assert len(sample(checkout, "shapes", 99, seed=0)[0]) == 28


def test_lines_added_above_leave_the_sample_as_it_is(checkout):
    before = sample(checkout, "shapes", 3, seed=0)[0]
    (checkout / "helpers/shapes/area.py").write_text(f'"""Areas."""\n\nimport math\n\n{AREA}')
    after = sample(checkout, "shapes", 3, seed=0)[0]
    assert after == before and [one.line - 4 for one in after] == [one.line for one in before]


def test_rings_of_a_module(checkout):
    sources = {
        "helpers/shapes/side": "from helpers.shapes.parts.inner import edge",
        "helpers/shapes/border": "from helpers.shapes import side",
        "helpers/shapes/parts/inner": "",
        "helpers/shapes/alone": "",
        "tests/shapes/test_all": "from helpers.shapes import side, area",
        "tests/shapes/test_border": "",
        "tests/shapes/made": "from helpers.shapes import alone",
    }
    for name, source in sources.items():
        (checkout / name).parent.mkdir(exist_ok=True)
        (checkout / f"{name}.py").write_text(f"{source}\n")
    of = {name: rings(checkout, f"helpers/shapes/{name}.py") for name in ("area", "side", "parts/inner", "alone")}
    test_all = "tests/shapes/test_all.py"
    assert of == {
        "area": (["tests/shapes/test_area.py", test_all], []),  # the mirror test first
        "side": ([test_all], ["tests/shapes/test_border.py"]),
        "parts/inner": ([], [test_all]),
        "alone": ([], []),
    }


def test_the_next_ring_has_a_limit_and_mirror_tests_come_first(checkout):
    (checkout / "helpers/shapes/side.py").write_text("from helpers.shapes.area import is_large\n")
    for name in [*(f"a{number:02}" for number in range(NEXT_RING)), "side"]:
        (checkout / f"tests/shapes/test_{name}.py").write_text("from helpers.shapes import side\n")
    further = rings(checkout, "helpers/shapes/area.py")[1]
    assert further == ["tests/shapes/test_side.py", *(f"tests/shapes/test_a{n:02}.py" for n in range(NEXT_RING - 1))]


def test_where_importers_have_no_tests_theirs_are_taken(checkout):
    (checkout / "helpers/shapes/alone.py").touch()
    (checkout / "helpers/shapes/side.py").write_text("from helpers.shapes import alone, far\n")
    (checkout / "helpers/shapes/far.py").write_text("from helpers.shapes import side\n")  # a circle ends
    assert rings(checkout, "helpers/shapes/alone.py") == ([], [])
    (checkout / "tests/shapes/test_far.py").touch()
    assert rings(checkout, "helpers/shapes/alone.py") == ([], ["tests/shapes/test_far.py"])


def test_a_line_that_was_cut_off_is_run_again(tmp_path):
    file = tmp_path / "shapes.jsonl"
    line = json.dumps({"mutant": {"path": "m.py", "line": 1, "before": "x = 1", "after": "x = 2"}, "killed": True})
    file.write_text(f"{line}\n{line[:30]}")
    assert results(file) == {Mutant("m.py", 9, "x = 1", "x = 2"): {"killed": True}}
    assert file.read_text() == f"{line}\n"


def test_the_report_counts_and_lists():
    killed, late, by_others, left = (Mutant("m.py", n, "x = 1", f"x = {n}") for n in (2, 3, 4, 5))
    came = {
        one: {"killed": True, "by": by} for one, by in ((killed, "tests"), (late, "time"), (by_others, "importers"))
    }
    text = report("shapes", [left, killed, late, by_others], came | {left: {"killed": False, "by": "importers"}})
    assert text.splitlines() == [
        "shapes: 3 killed, 1 survived, 75.0% killed",
        "  by tests of the module 1, of its importers 1, by time 1",
        "  m.py:5 x = 1 -> x = 5",
    ]


@pytest.mark.endurance
@pytest.mark.slow
def test_faults_that_no_test_sees_are_listed_and_run_again_only_when_asked(checkout, tmp_path):
    def run(*more):
        command = [sys.executable, "-m", "scripts.mutation_check", str(tmp_path / "found"), "--package", "shapes"]
        done = subprocess.run(
            [*command, "--root", str(checkout), *more],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        lines = (tmp_path / "found/shapes.jsonl").read_text().splitlines()
        return done.stdout.splitlines()[1:], len(lines)

    unseen = "  helpers/shapes/area.py:6 return 'nobody calls this' -> return None"
    by = "  by tests of the module {}, of its importers {}, by time 0"
    survived = ["shapes: 6 killed, 1 survived, 85.7% killed", by.format(6, 0), unseen]
    assert run("--workers", "2") == (survived, 7)
    (checkout / "helpers/shapes/side.py").write_text("from helpers.shapes import area\n")
    test_side = "from helpers.shapes import side\n\n\ndef test_side():\n    assert side.area.unused()\n"
    (checkout / "tests/shapes/test_side.py").write_text(test_side)
    assert run() == (survived, 7)
    assert run("--again") == (["shapes: 7 killed, 0 survived, 100.0% killed", by.format(6, 1)], 8)
    assert not list((tmp_path / "found").glob("copy-*"))
    assert (checkout / "helpers/shapes/area.py").read_text() == AREA
