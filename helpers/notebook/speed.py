"""What `vesselkit bench model` left in a project, for a notebook to show."""

from dataclasses import dataclass
from pathlib import Path

from helpers.paths import Stage, stage_folder


@dataclass(frozen=True)
class ShownBench:
    """One bench.

    Attributes:
        words: its tables as text, or how to make one.
        picture: its figure; None where there is none.
    """

    words: str
    picture: Path | None


def newest_bench(project: str) -> ShownBench:
    """The newest bench below `outputs/<project>/bench`, in that folder or one of its own."""
    folder = stage_folder(project, Stage.PREDICT).parent / "bench"
    texts = [*folder.glob("bench.txt"), *folder.glob("*/bench.txt")]
    if not texts:
        return ShownBench(
            f"none yet; vesselkit bench model --preset 8b --output outputs/{folder.parent.name}/bench/8b makes one",
            None,
        )
    newest = max(texts, key=lambda path: path.stat().st_mtime_ns)
    picture = newest.with_name("bench.png")
    return ShownBench(newest.read_text(encoding="utf-8"), picture if picture.is_file() else None)
