"""A folder of masks becomes a run folder: everything is checked first, then written case by case."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Combine, Meaning
from helpers.data.audit.mask_fit import contrasts_of, fit_warning, sampled
from helpers.data.cases import Case, ignored_of
from helpers.data.dataset import Dataset
from helpers.data.exchange.file_matching import match, told_strays
from helpers.data.exported_masks import EXPORTED_NAME, ExportedMasks
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.layouts.file_walk import files_under
from helpers.data.truth.full_masks import full_warning
from helpers.data.truth.mask_values import Found, look
from helpers.metrics.case_scores import mask_digest
from helpers.prediction.engine.case_result import FrameFacts, Thresholding, answered, frame_facts
from helpers.prediction.imports.imported_values import (
    SUFFIXES,
    ReadAs,
    holds_probabilities,
    meaning_of,
    read_values,
    stated,
    to_logits,
)
from helpers.prediction.predictor import FramePrediction
from helpers.prediction.resume import open_cases, reopen, tell, tell_making
from helpers.prediction.run import check_output, check_parameters, known_values, writing
from helpers.prediction.work_shards import shard_lock, start_lock
from helpers.runs.asked_prompts import FIRST_PROMPT_ID
from helpers.runs.case_parts import commit_case, remove_leftovers
from helpers.runs.finishing import finish_run, is_finished
from helpers.runs.mask_origins import MaskOrigins
from helpers.runs.provenance import making
from helpers.runs.run_config import start_run
from helpers.runs.stored_maps import Upsampling, threshold_logit

logger = logging.getLogger(__name__)

PROMPT = "imported"


@dataclass(frozen=True)
class ImportSummary:
    """What was imported.

    Attributes:
        cases: that got a mask.
        missing: cases of the data set without a file; evaluation scores them as missing.
        strays: files that belong to no case.
        told_strays: which they are, for the user alone.
        meaning: of the values; `stated` tells whether the user said so.
        copies: whether all masks equal the ground truth to the pixel.
        empty: whether no mask holds a pixel.
        full: what to tell of masks that mark most of their frames; None where none does.
        fit: what to tell of masks that do not lie on what their frames show; None where they do.
        notes: what else was found.
    """

    folder: Path
    cases: int
    missing: int
    strays: int
    meaning: Meaning
    stated: bool
    copies: bool
    empty: bool = False
    notes: tuple[str, ...] = ()
    full: str | None = None
    fit: str | None = None
    told_strays: str = field(default="", repr=False)

    def to_text(self) -> str:
        """What to tell the user."""
        cases, strays = counted(self.cases, "case"), counted(self.strays, "file")
        lines = [
            f"{cases} imported, {self.missing} missing, {strays} of no case{self.told_strays}",
            f"values taken as {self.meaning} ({'as stated' if self.stated else 'found out'})",
        ]
        lines += self.notes
        if self.copies:
            lines.append("WARNING: every mask equals the ground truth to the pixel. These are not predictions")
        lines.append(f"written to {self.folder}")
        lines += [text for text in (self.full, self.fit) if text is not None]
        if self.empty:
            lines.append(f"WARNING: all masks are empty ({self.cases}). Check the files, --values and --threshold")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Seen:
    """A file after its check."""

    case: Case
    path: Path = field(repr=False)
    facts: FrameFacts
    found: Found
    digest: str


@dataclass(frozen=True)
class _Written:
    """A mask of the run: whether it equals its ground truth, and its share of the frame."""

    is_truth: bool
    share: float


def import_masks(
    folder: Path,
    name: str,
    dataset: Dataset,
    output: Path,
    *,
    meaning: Meaning | None = None,
    threshold: float = 0.5,
    exported: ExportedMasks | None = None,
    stated_names: bool = False,
) -> ImportSummary:
    """Import PNG, NPZ or NPY files as the predictions of a run with one prompt.

    Args:
        folder: of the files, with any folders below it.
        name: of who or what made them, for people; it is written into the run.
        meaning: of the values; None to find out from all files.
        threshold: probability above which a pixel is in the mask.
        exported: what the kit's record beside the files says of them, which the run keeps; None without one.
        stated_names: whether the files lie under names that annotation files state of their images.
    Raises:
        UsageProblem: for a name or threshold that cannot be.
        RefusedInput: where a file cannot be read, fits no one case, or is not of its frame's size; or none fits.
        VesselkitError: where results cannot be written; what was written before is kept.
    """
    check_name(name)
    check_parameters((PROMPT,), threshold)
    check_output(output)
    names = [found for found in files_under(folder)[0] if Path(found).suffix.lower() in SUFFIXES]
    names, beside = _without_twins(folder, names)
    matched, strays = match(dataset.frames, dataset.root, names, stated=stated_names)
    if not matched:
        raise RefusedInput(
            f"{folder}: expected PNG, NPZ or NPY files named as the frames or by case id, found "
            f"{counted(len(names), 'file')}, none of a case. Check the folder and --data"
        )
    cases = [case for case in dataset.cases if case.case_id in matched]
    seen = [_seen(case, folder / matched[case.case_id]) for case in track(cases, "check", unit="case")]
    try:
        files = [one.found for one in seen]
        taken = meaning_of(files) if meaning is None else stated(files, meaning)
    except RefusedInput as error:
        raise RefusedInput(f"{folder}: {error}") from error
    origins = _origins(seen, exported)
    total = hashlib.sha256("".join(f"{one.case.case_id}:{one.digest}\n" for one in seen).encode()).hexdigest()
    values = {
        **known_values(
            dataset.frames,
            (PROMPT,),
            threshold=threshold,
            combine=Combine.UNION,
            limit=None,
            dataset=dataset.identity,
        ),
        "model": {"kind": "imported", "name": name, "masks_sha256": total},
        "predictor": {
            "device": "cpu",
            "values": taken.meaning.value,
            "values_stated": meaning is not None,
            **({"values_full": taken.full} if taken.full != 1 else {}),
            "missing": len(dataset.cases) - len(seen),
        },
        "batch_size": 1,
        **origins.to_config(),
    }
    written = _write(seen, taken, values, output)
    copies = all(one.is_truth for one in written.values())
    shares = {case_id: one.share for case_id, one in written.items()}
    if copies:
        logger.warning("every imported mask equals the ground truth to the pixel: these are not predictions")
    missing = len(dataset.cases) - len(seen)
    notes = [*taken.notes]
    if beside:
        twins = counted(beside, "PNG file")
        notes.append(f"skipped: {twins} beside an NPZ of probabilities of the same name, which was taken")
    if origins:
        notes.append(f"{EXPORTED_NAME} says what the masks began from, and the run keeps it")
    return ImportSummary(
        output,
        len(seen),
        missing,
        strays,
        taken.meaning,
        meaning is not None,
        copies,
        not any(shares.values()),
        tuple(notes),
        full_warning(shares),
        _fit_warning(seen, taken, threshold),
        told_strays(names, set(matched.values()), dataset.ids),
    )


def check_name(name: str) -> None:
    """Raise UsageProblem for a text that cannot be the name of who or what made masks."""
    if not name.strip() or len(name) > 80 or not name.isprintable() or set("/\\") & set(name):
        raise UsageProblem(f"name: expected a short plain name such as nnunet, got {name!r}")


def _without_twins(folder: Path, names: list[str]) -> tuple[list[str], int]:
    """The names without the PNG that nnU-Net leaves beside an NPZ of the same case, and how many these were."""
    stems = {Path(name).with_suffix("") for name in names if holds_probabilities(folder / name)}
    kept = [name for name in names if not (name.lower().endswith(".png") and Path(name).with_suffix("") in stems)]
    return kept, len(names) - len(kept)


def _seen(case: Case, path: Path) -> _Seen:
    """Check one file against its frame."""
    values = read_values(path)
    try:
        facts = frame_facts(read_frame(case.frame.path, case.frame.index, case.frame.bits))
    except UnreadableImage as error:
        raise RefusedInput(f"case {case.case_id}: its frame cannot be read ({error.reason})") from error
    if values.shape != (facts.height, facts.width):
        raise RefusedInput(
            f"{path}: expected {facts.width}x{facts.height} pixels as its frame has, found "
            f"{values.shape[1]}x{values.shape[0]}. Export it at the frame's size"
        )
    digest = hashlib.sha256(f"{values.dtype.str}{values.shape}".encode() + np.ascontiguousarray(values).tobytes())
    return _Seen(case, path, facts, look(values), digest.hexdigest())


def _origins(seen: Sequence[_Seen], exported: ExportedMasks | None) -> MaskOrigins:
    """What the record beside the files says of those that are imported."""
    if exported is None:
        return MaskOrigins()
    named = {one.case.case_id: exported.of_file(one.path) for one in seen}
    sent = {case_id: exported.masks[name] for case_id, name in named.items() if name is not None}
    empty = {one.case.case_id: mask_digest(np.zeros((one.facts.height, one.facts.width), bool)) for one in seen}
    return MaskOrigins.of(sent, empty)


def _write(seen: list[_Seen], taken: ReadAs, values: Mapping[str, Any], output: Path) -> dict[str, _Written]:
    """Write the cases that are not there yet; the masks of all by case id."""
    threshold = values["threshold"]
    try:
        starting = start_lock(output)
    except OSError as error:
        raise RefusedInput(f"{output}: cannot be written ({error.strerror}). Name another folder") from error
    with starting:
        mark = start_run(output, values).config_sha256
    written = dict[str, _Written]()
    with writing(), shard_lock(output, 1, 1):
        missing = open_cases(output, mark, [one.case.frame for one in seen])
        tell(missing)
        made_with = making("cpu")
        if missing:
            tell_making(output, [one.case.case_id for one in seen if one.case.case_id not in missing], made_with)
        reopen(output, missing)
        remove_leftovers(output, missing)
        for one in track(seen, "import", unit="case"):
            logits = to_logits(read_values(one.path), taken)
            mask = logits > np.float32(threshold_logit(threshold))
            written[one.case.case_id] = _Written(_is_truth(one, mask), float(mask.mean()))
            if one.case.case_id in missing:
                answer = FramePrediction(None, False, logits[None], Upsampling.NONE)
                shown = Thresholding(threshold, Combine.UNION)
                commit_case(
                    output, mark, answered(one.case.frame, one.facts, {FIRST_PROMPT_ID: answer}, shown, {}), made_with
                )
        case_ids = [one.case.case_id for one in seen]
        if not is_finished(output, case_ids):
            finish_run(output, case_ids, {})
    return written


def _fit_warning(seen: Sequence[_Seen], taken: ReadAs, threshold: float) -> str | None:
    """What some of the masks say, compared with their frames."""
    by_id, contrasts = {one.case.case_id: one for one in seen}, []
    for case in sampled([one.case for one in seen]):
        mask = to_logits(read_values(by_id[case.case_id].path), taken) > np.float32(threshold_logit(threshold))
        image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
        contrasts.append(contrasts_of(np.asarray(image.convert("L")), mask))
    return fit_warning(contrasts)


def _is_truth(one: _Seen, mask: np.ndarray) -> bool:
    """Whether a mask equals its ground truth; False where there is none to compare with."""
    if one.case.truth is None:
        return False
    try:
        truth, size = one.case.truth, (one.facts.width, one.facts.height)
        differs, ignored = truth.mask(*size) != mask, ignored_of(truth, *size)
        return not (differs if ignored is None else differs & ~ignored).any()
    except (RefusedInput, UnreadableImage):  # evaluation and audit say so
        return False
