"""What the viewer must know before its first case, and the viewer's own files."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from helpers.figures.panels import COLOUR_BLIND_SAFE, RED_GREEN
from helpers.review.source import ReviewSource
from helpers.review.verdicts import Reason, VerdictRecord

_HERE = Path(__file__).parent


def viewer_module() -> str:
    """The source of the ES module."""
    return (_HERE / "viewer.js").read_text(encoding="utf-8")


def viewer_style() -> str:
    """Its style sheet."""
    return (_HERE / "viewer.css").read_text(encoding="utf-8")


def review_facts(source: ReviewSource, records: Iterable[VerdictRecord] = ()) -> dict[str, Any]:
    """The facts of a review as a JSON object, docs/review.md.

    Args:
        records: verdicts given so far; those on what the runs do not say, or no longer say, are left out.
    """
    kept = [one for one in records if source.places(one)]
    palettes = [asdict(palette) for palette in (COLOUR_BLIND_SAFE, RED_GREEN)]
    return {
        **source.document(),
        "reasons": [reason.value for reason in Reason],
        "palettes": [{name: [255 * part for part in rgb] for name, rgb in palette.items()} for palette in palettes],
        "verdicts": [record.to_json() for record in kept],
    }
