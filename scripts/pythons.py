"""Set up, demo and quick tests on every supported Python at hand, each in a clean clone of what is committed.

    python -m scripts.pythons FOLDER [--python PYTHON ...]

Without --python: each of python3.14 to python3.11 that starts. Prints a line for each step; its output is in
FOLDER/VERSION/STEP.log. A clone is removed when all its steps passed: an environment takes some gigabytes.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")


@dataclass(frozen=True)
class Step:
    """What is run in a clone; `{python}` in the command stands for the Python."""

    name: str
    command: tuple[str, ...]


STEPS = (
    Step("setup", ("make", "setup", "PYTHON={python}")),
    Step("demo", ("make", "demo")),
    Step("quick", ("make", "quick")),
)


def versions(pythons: Iterable[str]) -> dict[str, str]:
    """Version, such as 3.13.5, by Python; one that does not start is left out."""
    found = {}
    for python in pythons:
        path = shutil.which(python)
        asked = path and subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if asked and asked.returncode == 0:
            found[path] = asked.stdout.split()[1]
    return found


def try_python(source: Path, python: str, folder: Path, steps: Iterable[Step] = STEPS) -> bool:
    """Run the steps with one Python, up to the first that fails.

    Args:
        source: repository to clone.
        python: path of the Python.
        folder: made; holds a log for each step and, where one failed, the clone.
    """
    clone = folder / "clone"
    folder.mkdir(parents=True)
    subprocess.run(["git", "clone", "--quiet", source, clone], check=True)
    for step in steps:
        command = [word.format(python=python) for word in step.command]
        start = time.monotonic()
        log = folder / f"{step.name}.log"
        with log.open("w", encoding="utf-8") as out:
            code = subprocess.run(command, cwd=clone, stdout=out, stderr=out, check=False).returncode
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [""]
        result = "passed" if code == 0 else f"FAILED with {code}"
        print(f"{folder.name:8} {step.name:6} {time.monotonic() - start:6.0f} s  {result}: {said[-1]}", flush=True)
        if code:
            return False
    shutil.rmtree(clone)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="made; one folder in it for each Python")
    parser.add_argument("--python", action="append", metavar="PYTHON", help="name or path; can be given again")
    options = parser.parse_args()
    found = versions(options.python or NAMES)
    if missing := [name for name in options.python or () if not versions([name])]:
        parser.error(f"these Pythons do not start: {', '.join(missing)}")
    if taken := [version for version in found.values() if (options.folder / version).exists()]:
        parser.error(
            f"{options.folder} holds {', '.join(taken)} of an earlier call; remove them, or name another folder"
        )
    passed = [try_python(ROOT, python, options.folder.resolve() / version) for python, version in found.items()]
    print(f"{sum(passed)} of {len(passed)} Pythons passed")
    return 0 if passed and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
