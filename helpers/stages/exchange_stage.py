"""Masks of a run, and corrections, to other tools and back.

Run, data set and verdicts are opened here; `helpers.review.exports` and the imports take them opened.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from helpers.core.errors import UsageProblem
from helpers.core.given_values import Spelling
from helpers.core.vocabulary import SEGMENTATIONS, BeganFrom, Exchange, Exported, Identity, Meaning
from helpers.data.dataset import Dataset
from helpers.data.exchange.exchange_formats import kind_of, mask_folder
from helpers.data.exchange.exchanged import AS_LABELLED, VesselChoice
from helpers.data.exported_masks import exported_above, require_one_export
from helpers.data.layouts.file_walk import files_under
from helpers.prediction.imports.import_run import ImportSummary, check_name, import_masks
from helpers.prediction.imports.unpacked_masks import unpacked
from helpers.review.corrections.store import CorrectionStore
from helpers.review.corrections.taking_over import TakenOver, take_over
from helpers.review.exports import ExportSummary, export_corrections, export_masks, export_pairs, export_to_fix
from helpers.review.kit_folders import (
    require_corrected_masks,
    require_corrections,
    require_for_corrections,
    require_verdicts,
)
from helpers.review.review_source import ReviewSource
from helpers.review.verdict_export import Verdicts
from helpers.review.verdicts import VerdictStore, current
from helpers.runs.stored_maps import threshold_logit

_ARRAYS = (".npz", ".npy")


@dataclass(frozen=True)
class ExportRequest:
    """What an export is asked for, as people give it.

    Attributes:
        what, kind: what is exported, in which format.
        verdicts, corrections: folders of the review; None where they are not asked for.
        adjudicator: reader whose corrections count where readers differ.
        accept_as_truth: whether predictions that reviewers accepted become ground truth.
        cases: of predicted masks, ids of the cases to take; empty for all.
        identity: whose identity DICOM files carry.
        margin: of pairs, 1 - intersection over union above which a correction differs by more than readers do.
        spell: how the caller writes the name of a parameter, for messages.
    """

    what: Exported = Exported.MASKS
    kind: Exchange = Exchange.PNG
    verdicts: Path | None = None
    corrections: Path | None = None
    adjudicator: str | None = None
    accept_as_truth: bool = False
    cases: tuple[str, ...] = ()
    identity: Identity = Identity.DECLARED
    margin: float | None = None
    spell: Spelling = str

    def __post_init__(self) -> None:
        spell, what = self.spell, self.what
        paired = what is Exported.PAIRS
        corrected = paired or what is Exported.CORRECTIONS
        if corrected and self.corrections is None:
            raise UsageProblem(f"{spell('corrections')}: expected the folder of corrections, got none")
        if paired and self.kind is not Exchange.PNG:
            raise UsageProblem(f"{self.kind}: pairs are written as png, see docs/exchange.md. Export png")
        if paired and (self.margin is None or not 0 <= self.margin < 1):
            given = "none" if self.margin is None else f"{self.margin:g}"
            raise UsageProblem(
                f"{spell('margin')}: expected by how much readers differ, 1 - intersection over union from 0 to below "
                f"1, got {given}. docs/exchange.md says where to take it from"
            )
        if self.kind is Exchange.DICOM_SEG_FRACTIONAL and what is not Exported.MASKS:
            raise UsageProblem(
                f"{self.kind}: holds a model's probabilities, expected with masks, got {what}. Export dicom-seg"
            )
        judged = what is Exported.TO_FIX or self.accept_as_truth
        if judged and self.verdicts is None:
            raise UsageProblem(f"{spell('verdicts')}: expected the folder of the verdicts that decide, got none")
        strays = {
            "corrections": self.corrections is not None and not corrected,
            "adjudicator": self.adjudicator is not None and not corrected,
            "accept_as_truth": self.accept_as_truth and what is not Exported.CORRECTIONS,
            "margin": self.margin is not None and not paired,
            "verdicts": self.verdicts is not None and not judged,
            "identity": self.identity is not Identity.DECLARED and self.kind not in SEGMENTATIONS,
            "cases": bool(self.cases) and what is not Exported.MASKS,
        }
        for name, stray in strays.items():
            if stray:
                raise UsageProblem(f"{spell(name)}: plays no part in an export of {what} as {self.kind}. Leave it out")

    def run(self, source: ReviewSource, folder: Path) -> ExportSummary:
        """Write the export into a new folder.

        Raises:
            UsageProblem: where there is nothing of this kind to export, or a folder of the review is of another kind.
            RefusedInput: where the folder holds something, or what is to be written is damaged or not certain.
        """
        if self.corrections is not None:
            require_corrections(self.corrections, self.spell("corrections"))
        if self.verdicts is not None:
            require_verdicts(self.verdicts, self.spell("verdicts"))
        if self.what is Exported.MASKS:
            return export_masks(source, folder, self.kind, self.cases, self.identity)
        if self.what is Exported.TO_FIX:
            return export_to_fix(source, folder, self.kind, self._standing(source))
        assert self.corrections is not None
        if self.what is Exported.PAIRS:
            assert self.margin is not None
            store = CorrectionStore(self.corrections)
            return export_pairs(source, folder, store, self.margin, adjudicator=self.adjudicator)
        return export_corrections(
            source,
            folder,
            self.kind,
            CorrectionStore(self.corrections),
            adjudicator=self.adjudicator,
            accepted=self._standing(source) if self.accept_as_truth else None,
            identity=self.identity,
        )

    def _standing(self, source: ReviewSource) -> Verdicts:
        """The verdicts that stand on the run as it is now."""
        assert self.verdicts is not None
        records = VerdictStore(self.verdicts).records()
        return current(one for one in records if 0 in source.places(one))


def import_as_run(
    path: Path,
    dataset: Dataset,
    output: Path,
    name: str,
    *,
    kind: Exchange | None = None,
    meaning: Meaning | None = None,
    choice: VesselChoice = AS_LABELLED,
    spell: Spelling = str,
) -> ImportSummary:
    """Make files of another tool a run folder. Where the kit exported them, the run keeps what they began from.

    Args:
        path: folder or annotation file.
        name: of who or what made them.
        kind: their format; None to find out.
        meaning: of PNG, NPZ and NPY files, as `import_masks` takes it.
        choice: which labels are vessel, and above which probability a pixel is; of PNG, NPZ and NPY files 0.5 where
            nothing is said.
        spell: as in `ExportRequest`.
    Raises:
        UsageProblem: for parameters that cannot work.
        RefusedInput: where files cannot be read, their meaning is not certain, or they fit no case.
    """
    found = kind_for_run(path, name, kind=kind, meaning=meaning, choice=choice, spell=spell)
    exported = exported_above(path)
    if found is Exchange.PNG:
        threshold = 0.5 if choice.threshold is None else choice.threshold
        masks = mask_folder(path)
        return import_masks(masks, name, dataset, output, meaning=meaning, threshold=threshold, exported=exported)
    with unpacked(path, found, dataset.frames, choice) as (folder, given):
        summary = import_masks(
            folder, name, dataset, output, meaning=Meaning.MASK, exported=exported, stated_names=given.stated
        )
    return replace(summary, notes=(*summary.notes, *given.said))


def kind_for_run(
    path: Path,
    name: str,
    *,
    kind: Exchange | None,
    meaning: Meaning | None,
    choice: VesselChoice,
    spell: Spelling,
) -> Exchange:
    """The format of files that become a run, found out where it is not given.

    It checks what can be checked before the data set is opened; parameters and errors are those of `import_as_run`.
    """
    check_name(name)
    found = _kind_of_run(path) if kind is None else kind
    _require_part(found, choice, spell, arrays=found is Exchange.PNG)
    if meaning is not None and found is not Exchange.PNG:
        raise UsageProblem(f"{spell('values')}: goes with PNG, NPZ and NPY files; {found} holds masks. Leave it out")
    require_one_export(path)
    return found


def import_as_corrections(
    path: Path,
    source: ReviewSource,
    store: Path,
    reviewer: str,
    began_from: BeganFrom,
    *,
    kind: Exchange | None = None,
    choice: VesselChoice = AS_LABELLED,
    spell: Spelling = str,
) -> TakenOver:
    """Keep masks of another tool as a reader's corrections of a run's cases.

    Raises:
        UsageProblem, RefusedInput: as `take_over`, and where the folder to keep them in holds other things.
    """
    found = kind_for_corrections(path, store, kind=kind, choice=choice, spell=spell)
    return take_over(path, found, source, CorrectionStore(store), reviewer, began_from, choice)


def kind_for_corrections(
    path: Path, store: Path, *, kind: Exchange | None, choice: VesselChoice, spell: Spelling
) -> Exchange:
    """`kind_for_run` of files that become corrections; parameters and errors are those of `import_as_corrections`."""
    require_corrected_masks(path)  # before its format is told
    require_for_corrections(store, spell("output"))
    found = kind_of(path) if kind is None else kind
    _require_part(found, choice, spell)
    require_one_export(path)
    return found


def _require_part(kind: Exchange, choice: VesselChoice, spell: Spelling, *, arrays: bool = False) -> None:
    """Raise UsageProblem where a format has no word for what a user says of its masks.

    Args:
        arrays: whether the files may hold probabilities.
    """
    if choice.vessel and kind in (Exchange.PNG, Exchange.NIFTI):
        raise UsageProblem(f"{spell('vessel')}: goes with formats that have labels, {kind} has none. Leave it out")
    if choice.threshold is not None and kind not in SEGMENTATIONS and not arrays:
        raise UsageProblem(f"{spell('threshold')}: goes with probabilities; {kind} holds masks here. Leave it out")
    if choice.threshold is not None:
        threshold_logit(choice.threshold)  # raises where it is no probability


def _kind_of_run(path: Path) -> Exchange:
    """The format of masks for a run, which may be arrays of numbers too."""
    if path.is_dir() and any(Path(name).suffix.lower() in _ARRAYS for name in files_under(path)[0]):
        return Exchange.PNG
    return kind_of(path)
