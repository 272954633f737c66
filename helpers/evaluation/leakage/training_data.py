"""Training data of each run, as far as known, and the standing of the scored patients to it."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.dataset import Dataset
from helpers.data.ids.id_key import machine_key_path
from helpers.evaluation.leakage.exported_cases import ExportedCase
from helpers.evaluation.leakage.kept_names import KeptNames, case_mark, key_of, patient_mark, read_kept
from helpers.evaluation.leakage.name_marks import hashed, marks_of, plain
from helpers.evaluation.leakage.standing import Source, Standing, Standings, case_warnings
from helpers.evaluation.leakage.training_files import ListRole
from helpers.evaluation.leakage.training_list import TrainingList
from helpers.evaluation.leakage.training_match import Group, Matcher, TrainedGroups, group_of, group_of_case, told_by

UNCHECKED = "whether scored cases are training data was not checked (--training)"

_CASE_ID = re.compile(r"(P\d+)(?:-S\d+)?-F\d+")
_NO_PATIENTS = "patients of the data set are not known, so that none is known to be unseen: name a rule with --group-by"


@dataclass(frozen=True)
class Evidence:
    """What one source says of a model's training data.

    Attributes:
        trained: groups and files of the data set that are training data.
        validation: groups that checkpoints were chosen on.
        complete: whether every training image is understood.
        reasons: why not, and what decides it.
        files: facts of the lists that it comes from.
        absent: number of lists that are not here.
    """

    source: Source
    trained: TrainedGroups = field(repr=False)
    complete: bool
    reasons: tuple[str, ...] = ()
    validation: TrainedGroups | None = field(default=None, repr=False)
    files: tuple[Mapping[str, Any], ...] = ()
    absent: int = 0


@dataclass(frozen=True)
class TrainingData:
    """The training data of the runs of an evaluation, as far as it is known.

    Attributes:
        listed: given for all of them; None where none was given.
    """

    dataset: Dataset = field(repr=False)
    listed: TrainingList | None = field(default=None, repr=False)

    def standings(self, model: Mapping[str, Any] | None, case_ids: Sequence[str]) -> Standings:
        """How cases stand to the training data of a run.

        Args:
            model: identity of the run's model; None where it has none.
        """
        evidence, reasons = self._evidence(model)
        wanted = set(case_ids)
        groups = {
            case.case_id: group_of_case(case, self.dataset.people)
            for case in self.dataset.cases
            if case.case_id in wanted
        }
        by_case = {case_id: _standing(case_id, group, evidence) for case_id, group in groups.items()}
        unknown = Standing.UNKNOWN in by_case.values()
        if evidence and unknown:
            reasons += [reason for one in evidence for reason in one.reasons]
            if any(group is None or not group.is_patient for group in groups.values()):
                reasons.append(_NO_PATIENTS)
        sources = tuple(one.source for one in evidence) or (Source.UNKNOWN,)
        return Standings(by_case, sources, tuple(dict.fromkeys(reasons)) if unknown else ())

    def kept_facts(self, model: Mapping[str, Any] | None, case_ids: Sequence[str]) -> dict[str, Any] | None:
        """Facts of the names that `convert` kept, as `TrainingList.facts` has them; None where there are none."""
        evidence, _ = self._evidence(model)
        kept = next((one for one in evidence if one.source is Source.KEPT), None)
        if kept is None:
            return None
        scored = set(case_ids)
        cases = [case for case in self.dataset.cases if case.case_id in scored]
        groups = {case.case_id: group_of_case(case, self.dataset.people) for case in cases}
        validated = set() if kept.validation is None else set(kept.validation.files)
        leaked = kept.trained.files & scored
        unseen_by_training = validated & scored - leaked
        return {
            "leaked": sorted(leaked),
            "validated": sorted(unseen_by_training),
            "doubtful": sorted(
                case_id for case_id, group in groups.items() if group is not None and group in kept.trained.doubtful
            ),
            "files": [dict(one) for one in kept.files],
            "files_absent": kept.absent,
            "warnings": case_warnings(len(leaked), len(unseen_by_training), len(scored)),
        }

    @property
    def list_is_understood(self) -> bool:
        """Whether a list was given of which every name is understood."""
        return self.listed is not None and self._by_list.complete

    def validation_cases(self, model: Mapping[str, Any] | None, case_ids: Sequence[str]) -> frozenset[str]:
        """The cases of patients of whom a training config names frames as validation data."""
        evidence, _ = self._evidence(model)
        groups = {group for one in evidence if one.validation is not None for group in one.validation.groups}
        wanted = set(case_ids)
        return frozenset(
            case.case_id
            for case in self.dataset.cases
            if case.case_id in wanted and group_of_case(case, self.dataset.people) in groups
        )

    def _evidence(self, model: Mapping[str, Any] | None) -> tuple[list[Evidence], list[str]]:
        """What all sources say of a model, and why one of them says nothing."""
        model = model or {}
        if model.get("kind") == "vesselness":
            return [self._tuned(model.get("tuned_on"))], []
        evidence = [] if self.listed is None else [self._by_list]
        fingerprint = model.get("tensors_sha256")
        kept, reason = (None, None) if fingerprint is None else self._by_kept(str(fingerprint))
        return evidence + ([] if kept is None else [kept]), [] if reason is None else [reason]

    @property
    def _listed(self) -> TrainingList:
        """The list that was given. Raises RefusedInput where none was."""
        if self.listed is None:
            raise RefusedInput("--training: expected a list of training images, got none. Give one")
        return self.listed

    @cached_property
    def _by_list(self) -> Evidence:
        read, people = self._listed.read, self.dataset.people
        trained, validation = (self._of_names(role) for role in (ListRole.TRAINING, ListRole.VALIDATION))
        reasons = []
        if trained.untold:
            reasons.append(
                f"{trained.untold} of {trained.names} names of training images are not understood by the grouping of "
                "this data set: whose frames they are is not known. Name a rule that reads them too (--group-by), or "
                "give a list without the names of other data sets"
            )
        reasons += _lacking(read.absent, read.unread, read.keyless)
        if not trained.names:
            reasons.append("no name of a training image could be read: give the list (--training)")
        # The very files, by their bytes where these are here.
        files = {case_id for one in self._listed.files if one.role is ListRole.TRAINING for case_id in one.matched}
        by_id = {case.case_id: case for case in self.dataset.cases}
        of_files = (group_of_case(by_id[case_id], people) for case_id in files)
        groups = {group for group in of_files if group is not None}
        trained = TrainedGroups(
            trained.groups | groups, trained.files | files, trained.doubtful, trained.names, trained.untold
        )
        return Evidence(Source.LIST, trained, not reasons, tuple(reasons), validation)

    def _of_names(self, role: ListRole) -> TrainedGroups:
        """What the names of a list's sources of one role say; those that are case ids say it by themselves."""
        people, matcher = self.dataset.people, Matcher(self.dataset.people, plain)
        sources = [one for one in self._listed.read.sources if one.role is role]
        pairs, cases = list[tuple[str, Path | None]](), list[ExportedCase]()
        for one in sources:
            for name in one.names:
                case = one.case(name)
                if case is None:
                    pairs.append((name, one.file(name)))
                else:
                    cases.append(case)
        by_id = {name: group for name, _ in pairs if (group := self._of_id(name)) is not None}
        names = [(name, file) for name, file in pairs if name not in by_id and name not in people.by_case]
        told = told_by(people, [name for name, _ in names])
        matched = matcher.find([marks_of(name, plain, file) for name, file in names], told)
        files = {name for name, _ in pairs if name in people.by_case}
        trained = TrainedGroups(
            matched.groups | set(by_id.values()), matched.files | files, matched.doubtful, len(pairs), matched.untold
        )
        ours = [one for one in cases if one.key_fingerprint == self.dataset.key_fingerprint]
        return self._with_cases(
            trained, {one.case_id for one in ours}, {one.patient for one in ours} - {None}, len(cases),
            len(cases) - sum(one.patient is not None for one in ours),
        )  # fmt: skip

    def _with_cases(
        self, trained: TrainedGroups, case_ids: Set[str], patients: Set[str | None], names: int, untold: int
    ) -> TrainedGroups:
        """Training data with frames that were exported under case ids of this data set's key.

        Args:
            case_ids, patients: pseudonyms of the frames and their patients.
            names, untold: number of such frames, under any key, and of those whose patient is not told by it.
        """
        people = self.dataset.people
        named = (group_of(patient, None) for patient, given in people.ids.items() if given in patients)
        groups = {group for group in named if group is not None}
        return TrainedGroups(
            trained.groups | groups,
            trained.files | (set(case_ids) & people.by_case.keys()),
            trained.doubtful,
            trained.names + names,
            trained.untold + untold,
        )

    def _of_id(self, name: str) -> Group | None:
        """The group of a case id, also of a frame that the data set has no more: the id names its patient."""
        people = self.dataset.people
        known = people.by_case.get(name)
        if known is not None:
            return group_of(known.patient, known.sequence)
        match = _CASE_ID.fullmatch(name)
        if match is None:
            return None
        return next((group_of(patient, None) for patient, given in people.ids.items() if given == match[1]), None)

    def _by_kept(self, fingerprint: str) -> tuple[Evidence | None, str | None]:
        """What `convert` kept of a model, or why that cannot be asked; neither where it kept nothing here."""
        if fingerprint not in self._kept:
            self._kept[fingerprint] = self._read_kept(fingerprint)
        return self._kept[fingerprint]

    @cached_property
    def _kept(self) -> dict[str, tuple[Evidence | None, str | None]]:
        return {}

    def _read_kept(self, fingerprint: str) -> tuple[Evidence | None, str | None]:
        people = self.dataset.people
        try:
            kept = read_kept(fingerprint)
            key = None if kept is None else key_of(kept, (people.key_path, machine_key_path()))
        except RefusedInput:
            return None, "the names of its training images that were kept on this machine are damaged: convert it again"
        if kept is None:
            return None, None
        if key is None:
            return None, (
                f"the names of its training images were kept under key {kept.key_fingerprint}, which is not here: give "
                "that key (--id-key), or the list (--training)"
            )
        return self._of_kept(kept, Matcher(people, hashed(key))), None

    def _of_kept(self, kept: KeptNames, matcher: Matcher) -> Evidence:
        trained, ours = matcher.find(kept.names, parts=kept.parts), kept.exported_under(self.dataset.key_fingerprint)
        ids = self.dataset.people.ids.values()
        trained = self._with_cases(
            trained,
            {case_id for case_id in self.dataset.people.by_case if matcher.mark(case_mark(case_id)) in ours.cases},
            {given for given in ids if matcher.mark(patient_mark(given)) in ours.patients},
            kept.exported_count,
            kept.exported_count - ours.told,
        )
        reasons = []
        if trained.untold:
            reasons.append(
                f"training list unknown for this grouping: of {trained.untold} of "
                f"{counted(trained.names, 'training image')} it cannot be told whose frames they are, since their "
                "names are not like those of this data set. Give the list (--training)"
            )
        reasons += _lacking(kept.absent, kept.unread, kept.keyless)
        files = tuple({**one, "matched": None} for one in kept.files)
        validation = matcher.find(kept.validation)
        complete = not reasons and trained.names > 0
        return Evidence(Source.KEPT, trained, complete, tuple(reasons), validation, files, kept.absent)

    def _tuned(self, tuned_on: Mapping[str, Any] | None) -> Evidence:
        """Parameters that were chosen on cases: their patients count as training patients."""
        if not tuned_on:
            return Evidence(Source.NOTHING, TrainedGroups(frozenset(), frozenset(), frozenset(), 0, 0), True)
        cases = list(tuned_on.get("cases", ()))
        same_key = tuned_on.get("key_fingerprint") == self.dataset.key_fingerprint
        told = {case_id: self._of_id(case_id) for case_id in cases} if same_key else {}
        groups = {group for group in told.values() if group is not None}
        files = frozenset(case_id for case_id in told if case_id in self.dataset.people.by_case)
        others = self._of_others([case_id for case_id in told if told[case_id] is None and case_id not in files])
        untold = sum(told.get(case_id) is None for case_id in cases) - others.names + others.untold
        reasons: tuple[str, ...] = ()
        if untold:
            whose = "their patients" if untold == len(cases) else f"the patients of {untold} of them"
            reasons = (
                f"its parameters were chosen on {counted(len(cases), 'case')}, and {whose} are not known here: they "
                "may be scored ones",
            )
        trained = TrainedGroups(others.groups | groups, files | others.files, others.doubtful, len(cases), untold)
        return Evidence(Source.TUNED, trained, not untold, reasons)

    def _of_others(self, case_ids: Sequence[str]) -> TrainedGroups:
        """What ids say that are under this data set's key, and of none of its patients by themselves.

        An id under a key names its patient, who is another one then. A kept id is a name, which the data set's own rule
        reads.
        """
        if self.dataset.key_fingerprint is not None:
            untold = sum(_CASE_ID.fullmatch(one) is None for one in case_ids)
            return TrainedGroups(frozenset(), frozenset(), frozenset(), len(case_ids), untold)
        people = self.dataset.people
        return Matcher(people, plain).find([marks_of(one, plain) for one in case_ids], told_by(people, case_ids))


def _standing(case_id: str, group: Group | None, evidence: Sequence[Evidence]) -> Standing:
    if any(case_id in one.trained.files or (group is not None and group in one.trained.groups) for one in evidence):
        return Standing.TRAINING
    known = group is not None and group.is_patient
    if known and any(one.complete and group not in one.trained.doubtful for one in evidence):
        return Standing.UNSEEN
    return Standing.UNKNOWN


def _lacking(absent: int, unread: int, keyless: int) -> list[str]:
    """Why a training config's data is known in part only."""
    reasons = []
    if absent:
        reasons.append(
            f"{counted(absent, 'annotation file')} of the training config not here: give the list (--training)"
        )
    if unread:
        reasons.append(
            f"{counted(unread, 'file')} of the training config without a name of an image that is understood, or not "
            "here: give the list (--training)"
        )
    if keyless:
        reasons.append(
            f"the splits of {counted(keyless, 'data set')} of the training config name patients under a key that is "
            "not here: put back the key that they were made with, or give the list (--training)"
        )
    return reasons
