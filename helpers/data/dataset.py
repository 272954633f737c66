"""Open a data set: its layout read, its frames grouped, its names replaced by ids."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.shown_text import counted
from helpers.data.cases import Case, Fault, Record
from helpers.data.exported_masks import (
    ExportedMask,
    ExportedMasks,
    read_exported,
    refuse_exports_below,
    require_true_masks,
)
from helpers.data.fitted_cases import cases_drawn_on, rescaled_cases
from helpers.data.frames.frame import Frame
from helpers.data.frames.image_reading import natural_key
from helpers.data.frames.set_depth import CommonDepth, common_depth
from helpers.data.groups.grouping import group
from helpers.data.groups.time_order import TimeOrder, time_order
from helpers.data.ids.case_ids import IdPolicy, Names, keep_original_names
from helpers.data.ids.id_map import pseudonyms
from helpers.data.ids.patient_names import PatientNames, patient_names
from helpers.data.layouts.detection import dataset_root, read_records, saved_rules
from helpers.data.rule_file import key_path
from helpers.data.rules import Rules, Saved, rules_notes, with_options, with_trial
from helpers.data.splits.split import chosen_parts, with_parts
from helpers.data.truth.ground_truth import MaskFileTruth, Size
from helpers.data.truth.mask_file import MaskSurvey
from helpers.data.truth.mask_values import ValueChoice
from helpers.data.truth.shape_labels import LabelChoice, choose_labels

_DIGESTED = (
    "patients and sequences out of DICOM headers are named by digests, also where file names are kept; pseudonyms "
    "hide more, since a digest can be tried out"
)
_ONE_FILE = (
    "that depth is of the frames of this file alone: where other files of its folder belong to the same "
    "study, `vesselkit data check` of the folder with --save keeps one for all"
)


@dataclass(frozen=True)
class Dataset:
    """An opened data set.

    Attributes:
        root: folder that the files lie in.
        layout: such as `coco`.
        cases: in natural order of their ids.
        ids: where the ids come from.
        key_fingerprint: of the key that they were drawn under; None for kept ones.
        notes: what was found and skipped, without names.
        faults: what could not become a case.
        doubts: sequence -> why the order of its frames in time is not certain, without names.
        rules: that it was opened by, kept with it or tried out.
        rules_notes: those of the notes that tell of them, and of the depth of the frames.
        unread: kinds of annotation files that are there and not read -> how many.
        depth: how its still images of more than 8 bits are read.
        masks: the values of all mask files of the whole data set; None where there is none.
        people: original names of patients of the whole data set, and how they are read; they stay on this machine.
        labels: what the labels of annotated shapes mean; None where there is none.
        exported: what its masks are, where the kit exported them; else None.
        split: the one that its cases are of, or several with commas between, where not all were opened; else None.
    """

    root: Path = field(repr=False)
    layout: str
    cases: tuple[Case, ...] = field(repr=False)
    ids: IdPolicy
    key_fingerprint: str | None
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = field(default=(), repr=False)
    doubts: Mapping[str, str] = field(default_factory=dict, repr=False)
    rules: Rules = field(default=Rules(), repr=False)
    rules_notes: tuple[str, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)
    depth: CommonDepth = field(default=CommonDepth(), repr=False)
    masks: MaskSurvey | None = field(default=None, repr=False, compare=False)
    people: PatientNames = field(default_factory=PatientNames, repr=False)
    labels: LabelChoice | None = field(default=None, repr=False)
    exported: ExportedMasks | None = field(default=None, repr=False)
    split: str | None = None

    @property
    def frames(self) -> tuple[Frame, ...]:
        """All that inference may see, in natural order of the case ids."""
        return tuple(case.frame for case in self.cases)

    @property
    def sealed(self) -> frozenset[str]:
        """Ids of the cases whose patients the data set's split keeps for tests."""
        parts = () if self.rules.split is None else self.rules.split.sealed
        return frozenset(case.case_id for case in self.cases if case.frame.split in parts)

    def require_unsealed(self, what: str) -> None:
        """Raise RefusedInput where cases of sealed patients are among those opened.

        Args:
            what: was about to be done with them, such as `training`.
        """
        if self.sealed:
            raise RefusedInput(
                f"{self.root}: {what} was about to use {counted(len(self.sealed), 'frame')} of sealed patients, whom "
                "the split kept with the data holds back for tests. Name other parts with split (--split), such as "
                "train"
            )

    @property
    def undecided(self) -> str | None:
        """Why the ground truth cannot be used before something is decided about it; None where it can. Reads masks."""
        judgements = (self.labels, None if self.masks is None else self.masks.judgement)
        return next((one.reason for one in judgements if one is not None and one.reason is not None), None)

    def require_decided(self) -> None:
        """Raise RefusedInput where the ground truth cannot be used before something is decided about it, or is none."""
        require_true_masks(self.root, self.exported)
        if self.undecided is not None:
            raise RefusedInput(f"{self.root}: the ground truth cannot be used yet: {self.undecided}")

    def exported_mask(self, case: Case) -> ExportedMask | None:
        """What the record of exported masks says of a case's ground truth; None where there is no record of it."""
        if self.exported is None:
            return None
        name = self.exported.of_file(case.frame.path)
        return None if name is None else self.exported.masks[name]

    @property
    def identity(self) -> dict[str, Any]:
        """JSON object without names, for a run's configuration: how its case ids and grey values came about."""
        deep = {"bits": self.depth.bits, "ranges": list(self.depth.ranges)}
        return {
            "layout": self.layout,
            "ids": self.ids.value,
            "key_fingerprint": self.key_fingerprint,
            **{name: value for name, value in deep.items() if value},
        }


def open_dataset(
    path: Path,
    *,
    layout: str | None = None,
    ids: IdPolicy | None = None,
    id_key: Path | None = None,
    group_by: str | None = None,
    split: str | None = None,
    rescale: bool = False,
    rescale_from: Size | None = None,
    tried: Rules | None = None,
) -> Dataset:
    """Open the data set in a folder or annotation file.

    Ids, groups and the depth of its images are those of the whole data set, whatever the split.

    Args:
        layout: name of its layout; None to find out.
        ids: where the ids come from; None keeps the names of public data sets and replaces all others.
        id_key: file of the key; None for `.vesselkit/id.key` in the data set's folder, or in that of
            the whole whose split names its patients. Created where missing.
        group_by: as in `helpers.data.groups.grouping.group`.
        split: only the cases of this one, or of several with commas between; None for all.
        rescale: fit truths that were made for another size to their frames, and count them in the notes.
        rescale_from: width and height of the images on which annotations that state no size were drawn; they are
            fitted to their frames, and counted in the notes.
        tried: rules that take the place of those kept with the data; None to go by these.
    Raises:
        UsageProblem: where an argument does not fit the data set, or the key cannot be written.
        RefusedInput: where the data set cannot be read, holds a frame twice or a folder that the kit exported, an
            argument says otherwise than the rules kept with it, or its images contradict each other in their depth.
    """
    path = Path(path).resolve()
    saved = saved_rules(dataset_root(path))
    given = Rules(layout=layout, ids=ids, group_by=group_by)
    rules = with_options(saved, given) if tried is None else with_trial(saved, replace(tried, **given.decided()))
    asked = given.layout if tried is None else given.layout or tried.layout
    reading = read_records(path, asked, replace(saved.rules, layout=rules.layout))
    _refuse_twins(path, reading.records)
    root = _base(reading.records[0])
    refuse_exports_below(root, reading.records)
    records, grouping = _grouped(reading.records, rules, saved, root)
    records, masks = _surveyed(records, rules)
    records, labels = _labelled(records, rules)
    policy = rules.ids or (IdPolicy.PUBLIC if reading.public else IdPolicy.PSEUDONYM)
    if policy is IdPolicy.PUBLIC and not reading.public:
        raise UsageProblem(
            f'{path}: expected a data set that declares itself public (dataset.json with {{"ids": "public"}}), found '
            "none such. Declare it, or ask for kept ids"
        )
    key = id_key or key_path(root, saved)
    names, mark = _named(records, policy, key, root)
    exported = read_exported(root)
    if exported is not None and policy is not IdPolicy.PSEUDONYM:
        mark = exported.key_fingerprint  # its files are named by ids that were drawn under this key
    people = patient_names(
        reading.records,
        records,
        names,
        layout=reading.layout,
        rule=rules.group_by,
        root=root,
        policy=policy,
        key_path=key,
    )
    said_of_split: tuple[str, ...] = ()
    if rules.split is not None and rules.split.parts:
        try:
            records, said_of_split = with_parts(
                records, names, rules.split, key_fingerprint=mark, spellings=people.spellings
            )
        except RefusedInput as error:
            raise RefusedInput(f"{path}: {error}") from error
    order = time_order(records)
    depth = common_depth(path, (record.path for record in records), rules.bits)
    said = (*rules_notes(saved, None if tried is None else rules), *([] if depth.note is None else [depth.note]))
    if path.is_file() and depth.bits is not None and rules.bits is None:
        said = (*said, _ONE_FILE)
    notes = [*said, *reading.notes, *grouping, *said_of_split, *([] if order.note is None else [order.note])]
    if policy is not IdPolicy.PSEUDONYM and any(record.from_header for record in records):
        notes.append(_DIGESTED)
    parts = chosen_parts(split)
    pairs = [
        (record, given) for record, given in zip(records, names, strict=True) if parts is None or record.split in parts
    ]
    known = {record.split for record in records if record.split}
    if not pairs or (parts is not None and parts - known):
        raise UsageProblem(
            f"{path}: expected cases of split {split!r}, found {', '.join(sorted(known)) or 'no splits'}"
        )
    cases = [_case(record, given, order, depth) for record, given in pairs]
    if rescale:
        cases, count = rescaled_cases(cases)
        notes.append(f"{counted(count, 'ground truth')} scaled to the size of the frame, as asked for")
    if rescale_from is not None:
        cases, count = cases_drawn_on(cases, rescale_from)
        notes.append(
            f"{counted(count, 'ground truth')} without a stated size taken as drawn on "
            f"{rescale_from[0]}x{rescale_from[1]} and scaled to the size of their frame, as asked for"
        )
    cases.sort(key=lambda case: natural_key(case.case_id))
    sequences = {record.name: given.sequence for record, given in pairs}
    doubts = {
        sequence: one.reason
        for one in order.doubts
        for name in one.names
        if (sequence := sequences.get(name)) is not None
    }
    opened = Dataset(
        root, reading.layout, tuple(cases), policy, mark, tuple(notes), reading.faults, doubts, rules, said
    )
    whole = replace(opened, unread=reading.unread, depth=depth, masks=masks, people=people, labels=labels)
    return replace(whole, exported=exported, split=split)


def _labelled(records: Sequence[Record], rules: Rules) -> tuple[tuple[Record, ...], LabelChoice | None]:
    """The records with what their labels mean, where there are several labels, or a rule for them."""
    choice = choose_labels([record.labelled for record in records if record.labelled is not None], rules)
    if choice is None or not choice.apart:
        return tuple(records), choice
    return tuple(
        record if record.labelled is None else replace(record, truth=replace(record.labelled, choice=choice))
        for record in records
    ), choice


def _grouped(
    records: tuple[Record, ...], rules: Rules, saved: Saved, root: Path
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """As `group`; a rule of a folder above is searched in names relative to that folder."""
    above = saved.above
    if above is None or above.rules.group_by is None or above.rules.group_by != rules.group_by:
        try:
            return group(records, rules.group_by, root)
        except UsageProblem as error:
            if rules.group_by is None or saved.rules.group_by != rules.group_by:
                raise
            raise UsageProblem(
                f"{error}. The rule is kept with the data set, and --group-by with --save replaces it"
            ) from error
    start = root.relative_to(above.folder).as_posix()
    whole = tuple(replace(record, name=f"{start}/{record.name}") for record in records)
    grouped, notes = group(whole, rules.group_by, above.folder)
    return tuple(replace(one, name=record.name) for one, record in zip(grouped, records, strict=True)), notes


def _surveyed(records: Sequence[Record], rules: Rules) -> tuple[tuple[Record, ...], MaskSurvey | None]:
    """The records with mask files that know of each other, since their values are judged together."""
    paths = [record.truth.path for record in records if isinstance(record.truth, MaskFileTruth)]
    if not paths:
        return tuple(records), None
    survey = MaskSurvey(paths, ValueChoice.of(rules))
    return tuple(
        replace(record, truth=replace(record.truth, survey=survey))
        if isinstance(record.truth, MaskFileTruth)
        else record
        for record in records
    ), survey


def _named(
    records: tuple[Record, ...], policy: IdPolicy, key: Path, root: Path
) -> tuple[tuple[Names, ...], str | None]:
    if policy is IdPolicy.PSEUDONYM:
        return pseudonyms(records, key, root)
    return keep_original_names(records), None


def _case(record: Record, names: Names, order: TimeOrder, depth: CommonDepth) -> Case:
    try:
        nbytes = record.path.stat().st_size
    except OSError:
        nbytes = None
    frame = Frame(
        case_id=names.case_id,
        path=record.path,
        index=record.index,
        patient=names.patient,
        sequence=names.sequence,
        number=record.number,
        split=record.split,
        nbytes=nbytes,
        position=order.positions.get(record.name),
        bits=depth.by_path.get(record.path),
    )
    return Case(frame, record.truth, record.provenance)


def _refuse_twins(path: Path, records: Sequence[Record]) -> None:
    if not records:
        raise RefusedInput(f"{path}: expected frames, found none. Check the path or --layout")
    twins = [name for name, count in Counter(record.name for record in records).items() if count > 1]
    if twins:
        raise RefusedInput(
            f"{path}: expected each frame once, found {len(twins)} more than once, the first {twins[0]!r}. Remove one "
            "of its entries"
        )


def _base(record: Record) -> Path:
    """The folder that a record's name starts from."""
    return record.path.parents[len(PurePosixPath(record.name).parts) - 1]
