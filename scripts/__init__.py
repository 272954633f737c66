"""Tools of a checkout. What measures lies in helpers/dev/measure, and still answers to `python -m scripts.NAME`."""

from pathlib import Path

# Not by an import: the mutation check must start before any module of `helpers` is loaded.
__path__.append(str(Path(__file__).resolve().parents[1] / "helpers" / "dev" / "measure"))
