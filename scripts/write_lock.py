"""Write requirements.lock and environment.yml from the output of `pip freeze` in a fresh environment.

    python scripts/write_lock.py FREEZE

Local versions are dropped, since they name a build that only one index holds.
"""

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOT_LOCKED = {"vesselkit", "pip", "setuptools", "wheel"}

LOCK_HEADER = """\
# Written by `make lock`. Every package of a fresh environment on Linux with the oldest supported Python; each has
# wheels for the later ones too. Other systems add their own, such as the CUDA packages that torch brings.
"""
ENVIRONMENT_HEADER = """\
# Written by `make lock`: the lines of requirements.lock, and the package itself.
name: vesselkit
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python{python}
  - pip
  - pip:
"""


def pins(freeze: Iterable[str]) -> list[str]:
    """`name==version` lines, sorted by name.

    Raises:
        ValueError: for a line that is not such a pin, such as a package installed from a folder.
    """
    found = []
    for line in filter(None, (line.strip() for line in freeze)):
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name and name.group().lower() in NOT_LOCKED:
            continue
        pin = re.fullmatch(r"([A-Za-z0-9._-]+==[^\s+@;]+)(\+\S+)?", line)
        if not pin:
            raise ValueError(f"expected name==version, got {line!r}; install that package from the registry")
        found.append(pin.group(1))
    return sorted(found, key=str.lower)


def environment(lines: Iterable[str], python: str) -> str:
    """The text of environment.yml.

    Args:
        python: the supported range, such as ">=3.11,<3.15".
    """
    return ENVIRONMENT_HEADER.format(python=python) + "".join(f"      - {line}\n" for line in (*lines, "-e ."))


def main() -> None:
    lines = pins(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines())
    (ROOT / "requirements.lock").write_text(LOCK_HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = environment(lines, project["requires-python"])
    (ROOT / "environment.yml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
