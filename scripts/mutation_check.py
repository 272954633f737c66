"""How many small faults in a package its tests notice.

    python -m scripts.mutation_check FOLDER --package evaluation --mutants 300

A sample of the mutants of a package (`scripts/mutants.py`), spread over its modules by how many each has, runs against
the tests of the module: `tests/PART/test_x.py` for `PART/x.py`, and what else in `tests/PACKAGE` imports it. A mutant
that survives runs against the next ring: the tests of the modules in the package that import the module, eight files at
most, or where these modules have none, of those that import them. The report says how many each ring noticed.
FOLDER/PACKAGE.jsonl keeps what came of each, so that a second call goes on after the last; `--again` runs those that
survived once more, after tests were added. A mutant that takes five times as long as its tests do without a fault, and
ten seconds, counts as killed.

The checkout stays as it is: every worker has a copy of it under FOLDER, and forks a process for each mutant. It
imports `helpers` from the copy. This module lies outside `helpers`, since it would import the checkout's otherwise.
"""

import argparse
import ast
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict
from functools import cache
from itertools import pairwise
from pathlib import Path

import hypothesis
import pytest

from scripts.mutants import Mutant, mutated, sample

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("helpers", "tests", "scripts", "docs", "notebooks", "pyproject.toml")
NEXT_RING = 8  # test files
# Nothing of the checkout may be among them.
PRELOADED = ("hypothesis.extra.numpy", "pandas", "PIL.Image", "safetensors.torch", "scipy.ndimage", "scipy.stats")
PRELOADED += ("skimage.measure", "skimage.morphology", "sklearn.metrics", "surface_distance", "torch", "yaml")
PRELOADED += tuple(
    f"transformers.models.{name}"
    for name in (
        "auto.tokenization_auto", "internvl.modeling_internvl", "qwen2.modeling_qwen2", "sam2_video.modeling_sam2_video"
    )
)  # fmt: skip


def rings(root: Path, path: str) -> tuple[list[str], list[str]]:
    """Test files, from the root: of a module, and of the nearest modules in its package that import it."""
    package = Path(path).parts[1]
    own = _tests_of(root, package, root / path)
    level, seen, further = {root / path}, set(), []
    while level and not further:
        seen |= level
        level = {one for module in level for one in _importers(root, root / "helpers" / package, module)} - seen
        further = [test for module in sorted(level) for test in _tests_of(root, package, module) if test not in own]
    mirrors = {f"test_{module.name}" for module in level}
    further = sorted(dict.fromkeys(further), key=lambda test: Path(test).name not in mirrors)
    return own, further[:NEXT_RING]


def _tests_of(root: Path, package: str, module: Path) -> list[str]:
    """The mirror test, and the others that import the module."""
    mirror = root / "tests" / module.relative_to(root / "helpers").with_name(f"test_{module.name}")
    others = {path for path in _importers(root, root / "tests" / package, module) if path.name.startswith("test_")}
    paths = [*([mirror] if mirror.exists() else []), *sorted(others - {mirror})]
    return [path.relative_to(root).as_posix() for path in paths]


def _importers(root: Path, folder: Path, module: Path) -> set[Path]:
    name = ".".join(module.relative_to(root).with_suffix("").parts)
    return {path for path in folder.rglob("*.py") if name in _imported(path)}


@cache
def _imported(path: Path) -> frozenset[str]:
    froms = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.ImportFrom)]
    names = (f"{node.module}.{alias.name}" for node in froms for alias in node.names)
    return frozenset({*names, *(node.module for node in froms if node.module)})


class Tree:
    """A copy of the checkout in which one module at a time has a fault."""

    def __init__(self, root: Path, folder: Path):
        shutil.rmtree(folder, ignore_errors=True)
        self.root, self.seconds = folder / "main", {}
        for name in COPIED:
            if (root / name).is_dir():
                shutil.copytree(root / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif (root / name).exists():
                shutil.copy2(root / name, self.root / name)
        if (root.parent / "shared").is_dir():
            (folder / "shared").symlink_to((root.parent / "shared").resolve())

    def run(self, mutant: Mutant) -> dict:
        """What came of the mutant: `killed`, `by` (tests of the module, those of its importers, time) and `seconds`."""
        line = {"killed": False, "by": "no tests", "seconds": 0.0}
        for by, tests in zip(("tests", "importers"), rings(self.root, mutant.path), strict=True):
            if tests and not line["killed"]:
                code, seconds = self._with_fault(mutant, tests, 5 * self._without_fault(tests) + 10)
                by = "time" if code is None else by
                line = {"killed": code != 0, "by": by, "seconds": round(line["seconds"] + seconds, 2)}
        return line

    def _without_fault(self, tests: list[str]) -> float:
        if tuple(tests) not in self.seconds:
            code, seconds = self._pytest(tests, 600, write_bytecode=True)
            if code != 0:
                raise SystemExit(f"expected {' '.join(tests)} to pass without a fault, got exit code {code}; run them")
            self.seconds[tuple(tests)] = seconds
        return self.seconds[tuple(tests)]

    def _with_fault(self, mutant: Mutant, tests: list[str], limit: float) -> tuple[int | None, float]:
        path = self.root / mutant.path
        text, times = path.read_bytes(), path.stat()
        path.write_text(mutated(mutant, text), encoding="utf-8")
        os.utime(path, (1, 1))  # no bytecode has this time, so that none of the module without the fault is taken
        try:
            return self._pytest(tests, limit, write_bytecode=False)
        finally:
            path.write_bytes(text)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def _pytest(self, tests: list[str], limit: float, write_bytecode: bool) -> tuple[int | None, float]:
        """Exit code, None where the time is up, and seconds."""
        begin = time.monotonic()
        child = os.fork()
        if child == 0:
            os.setsid()
            self._child(tests, write_bytecode)
        while time.monotonic() - begin < limit:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status), time.monotonic() - begin
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None, time.monotonic() - begin

    def _child(self, tests: list[str], write_bytecode: bool) -> None:
        os.chdir(self.root)
        sys.path.insert(0, str(self.root))
        os.environ["PYTHONPATH"] = str(self.root)
        sys.dont_write_bytecode = not write_bytecode
        os.environ["PYTHONDONTWRITEBYTECODE"] = "" if write_bytecode else "1"
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        base = f"--basetemp={self.root.parent / 'tmp'}"
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", base, *tests])))


def results(file: Path) -> dict[Mutant, dict]:
    """What was found so far. A line that a kill cut off is dropped from the file."""
    if not file.exists():
        return {}
    kept = [line for line in file.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    file.write_text("".join(kept), encoding="utf-8")
    lines = map(json.loads, kept)
    return {Mutant(**line.pop("mutant")): line for line in lines}  # of two lines of one mutant the later counts


def work(root: Path, folder: Path, file: Path, todo: list[Mutant]) -> None:
    """Run the mutants in a copy of the checkout, one line in the file for each."""
    tree, parent = Tree(root, folder), os.getppid()
    for mutant in todo:
        if os.getppid() != parent:
            return  # it was killed, and the next call goes on
        line = json.dumps({"mutant": asdict(mutant), **tree.run(mutant)}) + "\n"
        with file.open("a", encoding="utf-8") as stream:
            stream.write(line)
    shutil.rmtree(folder)


def report(package: str, chosen: list[Mutant], found: dict[Mutant, dict]) -> str:
    """Killed by what, survived and share, and the survivors by place."""
    survivors = sorted((one for one in chosen if not found[one]["killed"]), key=lambda one: (one.path, one.line))
    killed = len(chosen) - len(survivors)
    by = Counter(found[one]["by"] for one in chosen if found[one]["killed"])
    share = killed / len(chosen) if chosen else float("nan")
    head = f"{package}: {killed} killed, {len(survivors)} survived, {share:.1%} killed"
    rings = f"  by tests of the module {by['tests']}, of its importers {by['importers']}, by time {by['time']}"
    return "\n".join((head, rings, *(f"  {one}" for one in survivors)))


def preload() -> None:
    """What most tests import, once for all forks; hypothesis draws the same examples for every mutant."""
    for name in PRELOADED:
        importlib.import_module(name)
    hypothesis.settings.register_profile("mutants", derandomize=True, deadline=None)
    hypothesis.settings.load_profile("mutants")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where results and copies are kept")
    parser.add_argument("--package", action="append", required=True, help="of helpers/; may be given again")
    parser.add_argument("--mutants", type=int, default=300, help="how many of each package")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="run the survivors once more")
    parser.add_argument("--root", type=Path, default=ROOT, help="another checkout")
    options = parser.parse_args()
    root, folder = options.root.resolve(), options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    fork = multiprocessing.get_context("fork")
    for package in options.package:
        chosen, total = sample(root, package, options.mutants, options.seed)
        print(f"{package}: {len(chosen)} of {total} mutants", flush=True)
        file = folder / f"{package}.jsonl"
        found = results(file)
        todo = [one for one in chosen if one not in found or (options.again and not found[one]["killed"])]
        if todo:
            preload()
        # Neighbours share the module: each worker runs its tests once without a fault.
        todo.sort(key=lambda one: (one.path, one.line))
        ends = [len(todo) * number // options.workers for number in range(options.workers + 1)]
        shares = [todo[start:end] for start, end in pairwise(ends)]
        workers = [
            fork.Process(target=work, args=(root, folder / f"copy-{number}", file, share))
            for number, share in enumerate(shares)
            if share
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(worker.exitcode for worker in workers):
            sys.exit(f"{package}: a worker stopped early; what it found is kept in {file}")
        print(report(package, chosen, results(file)), flush=True)


if __name__ == "__main__":
    main()
