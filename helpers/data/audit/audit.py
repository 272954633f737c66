"""Look at a whole data set before anything runs on it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from helpers.core.atomic import write_json_atomic, write_text_atomic
from helpers.core.documents import document
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.data.audit.findings import (
    AuditFinding,
    AuditSeverity,
    counts,
    of_case,
    ordered,
    to_csv,
    to_text,
    truth_findings,
)
from helpers.data.audit.frame_looks import colour_findings, plain_findings
from helpers.data.audit.mask_fit import fit_findings
from helpers.data.audit.near_copies import near_copy_findings, picture_of
from helpers.data.audit.outlines import outline_findings
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.frames.dicom_header import DicomFacts
from helpers.data.frames.frame_source import pixel_sha256, read_frame
from helpers.data.frames.image_reading import UNIT, UnreadableImage, image_depth
from helpers.data.groups.grouping import source_stem
from helpers.data.groups.name_parts import spellings_text
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.ids.privacy import header_facts, header_signs, name_signs
from helpers.data.layouts.mask_looks import PixelLook, look_of
from helpers.data.truth.mask_values import DECIDE
from helpers.data.truth.other_frame import suggestions
from helpers.data.truth.shape_labels import DECIDE_LABELS

SCHEMA, SCHEMA_VERSION = "vesselkit.audit", 1


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    Attributes:
        findings: errors first.
        cases, truths: how many there are.
        sizes: width and height of frames that can be read, such as `512x512` -> how many there are.
        pixels_sha256: of the pixels of all of these, whatever their names and order.
    """

    layout: str
    cases: int
    truths: int
    ids: IdPolicy
    key_fingerprint: str | None
    notes: tuple[str, ...]
    findings: tuple[AuditFinding, ...] = field(repr=False)
    sizes: Mapping[str, int] = field(default_factory=dict)
    pixels_sha256: str | None = None

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not any(finding.severity is AuditSeverity.ERROR for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """A JSON object, with its schema."""
        return document(SCHEMA, SCHEMA_VERSION, {**asdict(self), "counts": counts(self.findings)})

    def to_text(self) -> str:
        """The findings and what they add up to, for people."""
        cases = counted(self.cases, "case")
        said = [f"layout {self.layout}: {cases}, {self.truths} with ground truth; ids: {self.ids.value}"]
        said += [f"- {note}" for note in self.notes]
        if self.findings:
            said += ["", to_text(self.findings), ""]
        return "\n".join([*said, ", ".join(counted(count, name) for name, count in counts(self.findings).items())])


@dataclass(frozen=True)
class SeenFrame:
    """A frame that was read elsewhere.

    Attributes:
        size: width and height in pixels.
        pixels: its `pixel_sha256`.
    """

    size: tuple[int, int]
    pixels: str


def audit(dataset: Dataset, seen: Mapping[str, SeenFrame] = MappingProxyType({})) -> AuditReport:
    """Check every case of a data set; each frame is read once, some a second time to hold their masks against.

    Checked are: frames that cannot be read, annotations that do not fit or cannot be drawn, masks that are empty, fill
    the frame, are not binary or do not lie on what the frames show, missing masks, frames that look like masks or are
    in colour, equal frames, patients and sequences in several splits, sequences whose order is not certain, signs of
    patient data in file names (unless public) and DICOM headers, and what these say of masks, shutters and padding.

    Args:
        seen: by case id, of frames that need not be read again. Whether the files are as they were is for who gives it.
    """
    findings = [
        AuditFinding(
            AuditSeverity.ERROR, "passed_over", None, fault.reason, "correct or remove this entry of the data set"
        )
        for fault in dataset.faults
    ]
    annotated = any(case.truth is not None for case in dataset.cases)
    undecided = dataset.undecided
    by_pixels: dict[str, list[Case]] = defaultdict(list)
    sizes: dict[str, tuple[int, int]] = {}
    pictures: dict[str, np.ndarray] = {}
    for case in track(dataset.cases, "check", unit="frame"):
        frame = seen.get(case.case_id)
        if frame is None:
            try:
                image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
            except UnreadableImage as error:
                findings.append(of_case("error", "unreadable", case, error.reason, "copy or export the file again"))
                findings += truth_findings(case, None, annotated, undecided)
                continue
            frame = SeenFrame(image.size, pixel_sha256(image))
            if case.frame.split is not None and frame.pixels not in by_pixels:
                pictures[case.case_id] = picture_of(image)
            if case.truth is None and case.frame.index is None and look_of(np.asarray(image)) is PixelLook.MASK:
                said = "the frame looks like a mask: few values, or nearly all of it black and white"
                findings.append(of_case("warning", "mask_like", case, said, "take it out where it is no frame"))
            findings += colour_findings(case, image, dataset.ids)
            findings += plain_findings(case, image)
        by_pixels[frame.pixels].append(case)
        sizes[case.case_id] = frame.size
        findings += _depth_findings(case)
        findings += truth_findings(case, frame.size, annotated, undecided)
    findings += _value_findings(dataset)
    findings += fit_findings(() if undecided is not None else dataset.cases)
    findings += _other_frame_findings(dataset, sizes)
    findings += outline_findings(dataset.cases, sizes)
    findings += _twin_findings(by_pixels)
    findings += _copy_findings(dataset)
    findings += near_copy_findings(dataset.cases, pictures)
    findings += _split_findings(dataset)
    findings += _spelling_findings(dataset)
    findings += [
        AuditFinding(AuditSeverity.WARNING, "order_doubtful", None, f"sequence {name}: {reason}", _ORDER_ADVICE)
        for name, reason in dataset.doubts.items()
    ]
    findings += _unread_findings(dataset)
    findings += _privacy_findings(dataset)
    findings += _header_findings(dataset)
    if not annotated:
        findings.append(
            AuditFinding(
                AuditSeverity.NOTE, "no_truth", None, "no case has ground truth", "enough to predict, not to score"
            )
        )
    return AuditReport(
        layout=dataset.layout,
        cases=len(dataset.cases),
        truths=sum(case.truth is not None for case in dataset.cases),
        ids=dataset.ids,
        key_fingerprint=dataset.key_fingerprint,
        notes=dataset.notes,
        findings=ordered(findings),
        sizes=dict(Counter(f"{width}x{height}" for width, height in sizes.values()).most_common()),
        pixels_sha256=sha256("".join(sorted(by_pixels)).encode()).hexdigest() if by_pixels else None,
    )


def write_report(report: AuditReport, output: Path) -> None:
    """Write findings.csv and findings.json into the folder `output`."""
    output.mkdir(parents=True, exist_ok=True)
    write_text_atomic(output / "findings.csv", to_csv(report.findings))
    write_json_atomic(output / "findings.json", report.to_dict())


_ORDER_ADVICE = "look at its order in a film; (?P<frame>...) in --group-by, or a CSV column frame, states it"


def _value_findings(dataset: Dataset) -> Iterator[AuditFinding]:
    """What labels, and the values of all mask files, mean: one finding, not one for each case."""
    labels = dataset.labels
    if labels is not None and labels.reason is not None:
        what = labels.reason.removesuffix(f". {DECIDE_LABELS}")
        yield AuditFinding(AuditSeverity.ERROR, "undecided_labels", None, what, DECIDE_LABELS)
    elif labels is not None and labels.text:
        yield AuditFinding(AuditSeverity.NOTE, "labels", None, labels.text, "check that it is meant so")
    if dataset.masks is None:
        return
    judgement = dataset.masks.judgement
    if judgement.reason is not None:
        what = judgement.reason.removesuffix(f". {DECIDE}")
        yield AuditFinding(AuditSeverity.ERROR, "undecided_values", None, what, DECIDE)
    for note in judgement.notes:
        yield AuditFinding(AuditSeverity.WARNING, "mask_values", None, note, "check that it is meant so")


def _other_frame_findings(dataset: Dataset, sizes: Mapping[str, tuple[int, int]]) -> Iterator[AuditFinding]:
    """A note on each annotation file whose coordinates fit images of another size."""
    for suggestion in suggestions(dataset.cases, sizes):
        wanted, frame = (f"{width}x{height}" for width, height in (suggestion.fits, suggestion.frame))
        what = (
            f"in one annotation file, {counted(len(suggestion.case_ids), 'image')} of {frame} have coordinates up to "
            f"x={suggestion.reach[0]:g}, y={suggestion.reach[1]:g}, as on images of {wanted}"
        )
        advice = f"if they were drawn on such, ask for --rescale-from {wanted}"
        yield AuditFinding(AuditSeverity.NOTE, "other_frame", suggestion.case_ids[0], what, advice)


def _depth_findings(case: Case) -> Iterator[AuditFinding]:
    """A note on still images of more than 8 bits."""
    depth = None if case.frame.index is not None else image_depth(case.frame.path)
    if depth is None:
        return
    if depth.full_scale is not None:
        said = f"more than 8 bits a pixel, 0 to {depth.full_scale} by its format"
    elif case.frame.bits == UNIT:
        said = "floats of 0 to 1"
    else:
        said = f"more than 8 bits a pixel, {case.frame.bits} in its data set"
    yield of_case("note", "deep_pixels", case, said, "it is read as 8 bits; check that its contrast is kept")


def _twin_findings(by_pixels: dict[str, list[Case]]) -> Iterator[AuditFinding]:
    for first, *others in by_pixels.values():
        for case in others:
            if case.frame.split != first.frame.split:
                said = f"same pixels as {first.case_id}, in another split ({case.frame.split}, {first.frame.split})"
                yield of_case("error", "duplicate_across_splits", case, said, "keep it in one split only")
            else:
                yield of_case("warning", "duplicate", case, f"same pixels as {first.case_id}", "remove one of them")


def _copy_findings(dataset: Dataset) -> Iterator[AuditFinding]:
    """Altered copies of one image, once for the data set."""
    stems = [stem for case in dataset.cases if (stem := source_stem(case.frame.path.name)) is not None]
    sources = len(set(stems))
    if sources < len(stems):
        said = (
            f"{counted(len(stems), 'image')} are copies of {sources}, by their names, which an export turned or "
            "altered (.rf.)"
        )
        advice = "score and train on the images themselves, or group the copies with their image by --group-by"
        yield AuditFinding(AuditSeverity.WARNING, "altered_copies", None, said, advice)


def _split_findings(dataset: Dataset) -> Iterator[AuditFinding]:
    """Patients, in all their spellings, and sequences of unknown patients that lie in several splits."""
    for kind in ("patient", "sequence"):
        splits: dict[str, set[str]] = defaultdict(set)
        ids: dict[str, set[str]] = defaultdict(set)
        for frame in dataset.frames:
            own = getattr(frame, kind)
            if own is not None and frame.split is not None and (kind == "patient" or frame.patient is None):
                name = dataset.people.spellings.united.get(own, own) if kind == "patient" else own
                splits[name].add(frame.split)
                ids[name].add(own)
        for name, in_splits in splits.items():
            if len(in_splits) > 1:
                spelled = f", under the ids {', '.join(sorted(ids[name]))}," if len(ids[name]) > 1 else ""
                said = f"{kind} {name}{spelled} lies in the splits {', '.join(sorted(in_splits))}"
                advice = f"put all frames of one {kind} into one split; scores are too good otherwise"
                yield AuditFinding(AuditSeverity.ERROR, f"{kind}_across_splits", None, said, advice)


def _spelling_findings(dataset: Dataset) -> Iterator[AuditFinding]:
    """A warning where names of patients differ in spelling alone; it counts them and names nobody."""
    said = spellings_text(dataset.people.spellings, {frame.patient for frame in dataset.frames})
    if said is not None:
        advice = "spell each patient in one way, so that its ids are one too; rename those who are several people"
        yield AuditFinding(AuditSeverity.WARNING, "patient_spellings", None, said, advice)


def _unread_findings(dataset: Dataset) -> Iterator[AuditFinding]:
    """Annotation files that no reader reads: of more weight where cases have no ground truth."""
    lacking = any(case.truth is None for case in dataset.cases)
    for kind, count in dataset.unread.items():
        said = f"{counted(count, 'annotation file')} of a kind that is not read: {kind}"
        advice = "export them as mask files, COCO or LabelMe where they are the ground truth"
        yield AuditFinding(
            AuditSeverity.WARNING if lacking else AuditSeverity.NOTE, "unread_annotations", None, said, advice
        )


def _privacy_findings(dataset: Dataset) -> Iterator[AuditFinding]:
    seen = set()
    for case in dataset.cases:
        path = case.frame.path
        if dataset.ids is not IdPolicy.PUBLIC:
            signs = name_signs(_below(dataset.root, path))
            if signs:
                said = f"the file's path looks like it holds {' and '.join(signs)}"
                yield of_case("warning", "name_in_path", case, said, _PATH_ADVICE[dataset.ids])
        if path in seen:
            continue
        seen.add(path)
        filled, burned_in = header_signs(path)
        if filled:
            said = f"the DICOM header identifies: {', '.join(filled)}"
            yield of_case("warning", "identity_in_header", case, said, "it is never copied; do not pass the file on")
        if burned_in:
            said = "the header says that text is burned into the pixels"
            yield of_case("warning", "burned_in", case, said, "cover the text before any picture leaves this machine")


def _header_findings(dataset: Dataset) -> Iterator[AuditFinding]:
    """What DICOM headers say of frames that a viewer would show otherwise."""
    known: dict[Path, DicomFacts | None] = {}
    for case in dataset.cases:
        path = case.frame.path
        is_first = path not in known
        if is_first:
            known[path] = header_facts(path)
        facts = known[path]
        if facts is None:
            continue
        if (case.frame.index or 0) + 1 in facts.mask_frames:
            said = "the header makes this frame a mask of a subtraction: it shows no contrast agent"
            yield of_case("warning", "mask_frame", case, said, "leave it out of scores; its vessels are not filled")
        if is_first and facts.shutters:
            said = f"the header asks for a display shutter ({', '.join(facts.shutters)})"
            advice = "it is not applied: a viewer hides what the frames hold there"
            yield of_case("note", "display_shutter", case, said, advice)
        if is_first and facts.padded:
            said = "the header names a value of pixels that are padding"
            yield of_case("note", "padding", case, said, "they are read as black; check that they hold no vessels")


_PATH_ADVICE = {
    IdPolicy.PSEUDONYM: "results carry the case id instead; do not pass the file on",
    IdPolicy.KEEP: "results would carry it: leave out --ids keep",
}


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
