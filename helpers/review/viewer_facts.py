"""Facts that the viewer needs before its first case, and the viewer's own files."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from helpers.core.vocabulary import Language
from helpers.review.corrections.reviewed import ReviewedCorrections
from helpers.review.figures.mask_drawing import COLOUR_BLIND_SAFE, RED_GREEN
from helpers.review.review_source import ReviewSource
from helpers.review.verdicts import VerdictReason, VerdictRecord

_HERE = Path(__file__).parent
WORDS = "chinese"  # of the parts, the one that is made of the table of texts
VIEWER_PARTS = (
    WORDS, "words", "arithmetic", "queue", "verdicts", "settings", "layout", "mask_edit", "strokes", "corrections",
    "edit", "elements", "case_states", "cases", "pictures", "legend", "marks", "pointing", "panels", "controls",
    "saving", "shelf", "clicks", "edit_tools", "truth_seen", "edit_card", "carrying", "editor", "judgement",
    "header", "navigation", "thumbnails", "keys", "stage", "view", "hosts",
)  # fmt: skip
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./\w+\.js";\n', re.MULTILINE)


def viewer_module(parts: Iterable[str] = VIEWER_PARTS) -> str:
    """The source of the ES module: the files of `viewer/` as one, without their imports of each other.

    Args:
        parts: names of files, each behind those that it imports; what they import must be among them.
    """
    return "\n".join(_IMPORT.sub("", viewer_part(name)).lstrip("\n") for name in parts)


def viewer_part(name: str) -> str:
    """One file of `viewer/`, as it is; the table of texts as a module."""
    if name == WORDS:
        return f"export const CHINESE = {json.dumps(chinese_texts(), ensure_ascii=False)};\n"
    return (_HERE / "viewer" / f"{name}.js").read_text(encoding="utf-8")


@cache
def chinese_texts() -> Mapping[str, str]:
    """English -> Chinese of all that the viewer says, with the same {places} for values in both."""
    table: dict[str, str] = json.loads((_HERE / "viewer" / f"{WORDS}.json").read_text(encoding="utf-8"))
    return table


def in_language(text: str, language: Language) -> str:
    """A text of the table in a language."""
    return chinese_texts()[text] if language is Language.CHINESE else text


def viewer_style() -> str:
    """Its style sheet."""
    return (_HERE / "viewer.css").read_text(encoding="utf-8")


def review_facts(
    source: ReviewSource,
    records: Iterable[VerdictRecord] = (),
    corrections: ReviewedCorrections | None = None,
    clicks: str | None = None,
    waiting: Iterable[str] = (),
    drawn_first: Iterable[str] = (),
    language: Language = Language.ENGLISH,
) -> dict[str, Any]:
    """The facts of a review as a JSON object, docs/review.md.

    Args:
        records: verdicts given so far; those on what the runs do not say, or no longer say, are left out.
        corrections: made so far; None for none.
        clicks: fingerprint of the model that answers clicks; None where none does.
        waiting: ids of cases with a carried mask that the reviewer has yet to look at.
        drawn_first: ids of cases that the reviewer draws from empty before their prediction is shown.
        language: that the viewer begins in.
    """
    kept = [one for one in records if source.places(one)]
    palettes = [asdict(palette) for palette in (COLOUR_BLIND_SAFE, RED_GREEN)]
    return {
        **source.document(),
        "reasons": [reason.value for reason in VerdictReason],
        "palettes": [{name: [255 * part for part in rgb] for name, rgb in palette.items()} for palette in palettes],
        "verdicts": [record.to_json() for record in kept],
        "corrections": [] if corrections is None else corrections.facts(),
        "clicks": clicks,
        "waiting": list(waiting),
        "drawn_first": sorted(drawn_first),
        "language": language.value,
    }
