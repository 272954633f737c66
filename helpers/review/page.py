"""The static twin: the same viewer and its cases in one HTML file, or beside it, that works from the disk alone."""

import json
import re
import shutil
from collections.abc import Iterable
from itertools import starmap
from pathlib import Path
from typing import Any

from helpers.core.atomic import replacing_folder, require_free_space, require_writable, write_text_atomic
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.progress import track
from helpers.core.vocabulary import Language
from helpers.review.corrections.reviewed import ReviewedCorrections
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import ReviewSource
from helpers.review.verdicts import VerdictRecord
from helpers.review.viewer_facts import review_facts, viewer_module, viewer_style

MAX_IN_ONE_FILE = 150  # cases; of 512 x 512 about 0.3 MB each

_PAGE = """\
<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:; frame-src {frames}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>vesselkit review</title>
<style>
body {{ margin: 0; background: #1a1e24; }}
{style}</style>
</head>
<body>
<div id="vesselkit-review"></div>
<script type="application/json" id="vesselkit-facts">{facts}</script>
"""
_CASE = '<script type="application/json" id="vesselkit-case-{}">{}</script>\n'
_CASE_PAGE = """\
<!doctype html>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'">
<title>a case</title>
<script type="application/json" id="case">{payload}</script>
<script>parent.postMessage(document.getElementById("case").textContent, "*");</script>
"""
_END = """\
<script type="module">
{module}
openPage(document.getElementById("vesselkit-review"));
</script>
</body>
</html>
"""


def write_page(
    source: ReviewSource,
    path: Path,
    *,
    case_ids: Iterable[str] | None = None,
    records: Iterable[VerdictRecord] = (),
    corrections: CorrectionStore | None = None,
    language: Language = Language.ENGLISH,
) -> Path:
    """Write the review as `path`, an HTML file; more than MAX_IN_ONE_FILE cases lie in a folder of its name beside it.

    An earlier page of that name is replaced once the new one is complete.

    Args:
        case_ids: cases to take; None for all.
        records: verdicts to show from the start.
        corrections: the folder of those to show from the start; None for none.
        language: that the page begins in; a button on it changes to the other one.
    Raises:
        UsageProblem: for another suffix than .html, or a case that the run does not have.
        RefusedInput: for damaged files of a run, a place that cannot be written, too little space, or a folder of that
            name with other files in it.
    """
    if path.suffix.lower() != ".html":
        raise UsageProblem(f"{path.name}: expected a name that ends in .html")
    kept = None if corrections is None else ReviewedCorrections(source, corrections)
    facts = review_facts(source, records, kept, language=language)
    if case_ids is not None:
        facts["cases"] = _chosen(facts["cases"], list(case_ids))
    wanted = [case["case_id"] for case in facts["cases"]]
    source.require_whole(wanted)
    folder = path.with_name(f"{path.stem}-cases")
    _require_ours(folder)
    require_writable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    require_free_space(path.parent, 500_000 * len(wanted), "the page")
    payloads = (
        _script(source.view(case_id).to_json() | {"corrected": {} if kept is None else kept.masks(case_id)})
        for case_id in track(wanted, "page", unit="case")
    )
    if len(wanted) > MAX_IN_ONE_FILE:
        cases, facts["folder"] = "", folder.name
        _write_cases(folder, payloads)
    else:
        cases, facts["folder"] = "".join(starmap(_CASE.format, enumerate(payloads))), None
    frames = "'none'" if facts["folder"] is None else "file: 'self'"
    head = _PAGE.format(style=viewer_style(), facts=_script(facts), frames=frames, language=language.value)
    write_text_atomic(path, head + cases + _END.format(module=viewer_module()))
    if facts["folder"] is None and folder.is_dir():
        shutil.rmtree(folder)  # of an earlier, larger page
    return path


def _require_ours(folder: Path) -> None:
    """Raise RefusedInput where a folder that is to be replaced holds anything but the cases of an earlier page."""
    if folder.exists() and not (
        folder.is_dir() and all(re.fullmatch(r"[0-9]+\.html", entry.name) for entry in folder.iterdir())
    ):
        raise RefusedInput(
            f"{folder}: expected the cases of an earlier page or nothing, found other files. Move them away, or choose "
            "another name for the page"
        )


def _write_cases(folder: Path, payloads: Iterable[str]) -> None:
    """Write the cases, each as a page, into a folder that takes the place of an earlier one once it is complete."""
    with replacing_folder(folder) as partial:
        for place, payload in enumerate(payloads):
            (partial / f"{place}.html").write_text(_CASE_PAGE.format(payload=payload), encoding="utf-8")


def _chosen(cases: list[dict[str, Any]], case_ids: list[str]) -> list[dict[str, Any]]:
    known, wanted = {case["case_id"] for case in cases}, set(case_ids)
    unknown = [case_id for case_id in case_ids if case_id not in known]
    if unknown:
        raise UsageProblem(
            f"cases: expected some of the {len(known)} of the run, got {unknown[0]!r}; `vesselkit data who` gives the "
            "case id of a file"
        )
    return [case for case in cases if case["case_id"] in wanted]


def _script(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or starts a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
