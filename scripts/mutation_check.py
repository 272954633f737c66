"""How many small faults in a package its tests notice.

    python -m scripts.mutation_check FOLDER --package evaluation --mutants 300

A sample of the mutants of a package (`scripts/mutants.py`), spread over its modules by how many each has, runs against
the mirror tests: `tests/PART/test_x.py` for `PART/x.py` and what else there imports the module; where there is
none, those of the modules that import it. FOLDER/PACKAGE.jsonl keeps what came of each, so that a second call
goes on after the last; `--again` runs those that survived once more, after tests were added. A mutant that takes five
times as long as its tests do without a fault, and ten seconds, counts as killed.

The checkout stays as it is: every worker has a copy of it under FOLDER, and forks a process for each mutant.
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
from dataclasses import asdict
from pathlib import Path

import hypothesis
import pytest

from scripts.mutants import Mutant, mutated, sample

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("helpers", "tests", "scripts", "docs", "notebooks", "pyproject.toml")
# Nothing of the checkout may be among them.
PRELOADED = ("hypothesis.extra.numpy", "pandas", "PIL.Image", "safetensors.torch", "scipy.ndimage", "scipy.stats")
PRELOADED += ("skimage.measure", "skimage.morphology", "sklearn.metrics", "surface_distance", "torch", "yaml")


def mirror_tests(root: Path, path: str) -> list[str]:
    """The test files that a module is held against, from the root."""
    package, module = Path(path).parent.relative_to("helpers").as_posix(), Path(path).stem
    return sorted(_tests_of(root, package, module, set()))


def _tests_of(root: Path, package: str, module: str, seen: set[str]) -> set[str]:
    folder = root / "tests" / package
    found = {f"tests/{package}/{name}.py" for name in _importers(folder, package, module) if name.startswith("test_")}
    if (folder / f"test_{module}.py").exists():
        found.add(f"tests/{package}/test_{module}.py")
    for name in set() if found else _importers(root / "helpers" / package, package, module) - seen:
        found |= _tests_of(root, package, name, seen | {module})
    return found


def _importers(folder: Path, package: str, module: str) -> set[str]:
    found, package = set(), package.replace("/", ".")
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and (
                node.module == f"helpers.{package}.{module}"
                or (node.module == f"helpers.{package}" and module in {alias.name for alias in node.names})
            ):
                found.add(path.stem)
    return found


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
        """What came of the mutant: `killed`, `by` (tests or time) and `seconds`."""
        tests = mirror_tests(self.root, mutant.path)
        if not tests:
            return {"killed": False, "by": "no tests", "seconds": 0.0}
        if tuple(tests) not in self.seconds:
            code, seconds = self._pytest(tests, 600, write_bytecode=True)
            if code != 0:
                raise SystemExit(f"expected {' '.join(tests)} to pass without a fault, got exit code {code}; run them")
            self.seconds[tuple(tests)] = seconds
        path = self.root / mutant.path
        text, times = path.read_bytes(), path.stat()
        path.write_text(mutated(mutant, text), encoding="utf-8")
        os.utime(path, (1, 1))  # no bytecode has this time, so that none of the module without the fault is taken
        try:
            code, seconds = self._pytest(tests, 5 * self.seconds[tuple(tests)] + 10, write_bytecode=False)
        finally:
            path.write_bytes(text)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        return {"killed": code != 0, "by": "time" if code is None else "tests", "seconds": round(seconds, 2)}

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
    """Killed, survived and share, and the survivors by place."""
    survivors = sorted((one for one in chosen if not found[one]["killed"]), key=lambda one: (one.path, one.line))
    killed = len(chosen) - len(survivors)
    late = sum(found[one]["by"] == "time" for one in chosen)
    share = killed / len(chosen) if chosen else float("nan")
    head = f"{package}: {killed} killed ({late} by time), {len(survivors)} survived, {share:.1%} killed"
    return "\n".join((head, *(f"  {one}" for one in survivors)))


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
        shares = [todo[number :: options.workers] for number in range(options.workers)]
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
