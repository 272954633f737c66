"""Whose frames a model was trained on: the names of training images, compared with the patients of a data set.

A name counts as understood where the file is one of the data set, where the data set's rule reads its patient, or where
it has the shape of the data set's names, so that another text at the patient's place means another patient. As long as
one is not understood, no patient is said to be unseen.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from helpers.data.cases import Case
from helpers.data.groups.name_parts import NamePlace, folded, place_in, word
from helpers.data.groups.name_rules import NamedGroups, composed
from helpers.data.ids.patient_names import KnownName, PatientNames
from helpers.evaluation.leakage.name_marks import Mark, NameMarks, are_different, ends_of


@dataclass(frozen=True)
class Group:
    """A patient, or where that is unknown a sequence, by the name that all spellings share."""

    kind: str
    name: str = field(repr=False)

    @property
    def is_patient(self) -> bool:
        return self.kind == "patient"


@dataclass(frozen=True)
class TrainedGroups:
    """What is known of the groups of a data set and a model's training data.

    Attributes:
        groups: of which training saw frames.
        files: case ids of the very frames that it saw.
        doubtful: groups of frames that are named like training images, and no folder tells them apart.
        names: number of names of training images.
        untold: of these, whose patient is not understood.
    """

    groups: frozenset[Group] = field(repr=False)
    files: frozenset[str] = field(repr=False)
    doubtful: frozenset[Group] = field(repr=False)
    names: int
    untold: int


def group_of(patient: str | None, sequence: str | None) -> Group | None:
    """The group of original names; None where neither is known."""
    if patient is not None:
        return Group("patient", folded(patient))
    return None if sequence is None else Group("sequence", folded(sequence))


def _known(groups: Iterable[Group | None]) -> frozenset[Group]:
    return frozenset(group for group in groups if group is not None)


def group_of_case(case: Case, people: PatientNames) -> Group | None:
    """The group of a case, as far as the case itself says that it has one."""
    known = people.by_case.get(case.case_id)
    patient, sequence = case.frame.patient, case.frame.sequence
    if known is None:  # a data set that was put together in memory
        return group_of(patient, sequence)
    return group_of(known.patient if patient is not None else None, known.sequence if sequence is not None else None)


@dataclass(frozen=True)
class Matcher:
    """The names of a data set, marked, to find training images among them.

    Attributes:
        mark: the same that the training names were marked with.
    """

    people: PatientNames = field(repr=False)
    mark: Mark = field(repr=False)

    def find(
        self,
        names: Sequence[NameMarks],
        told: Mapping[int, NamedGroups] | None = None,
        parts: frozenset[str] = frozenset(),
    ) -> TrainedGroups:
        """Hold training names against the data set.

        Args:
            names: of all training images.
            told: place of a name -> what the data set's rule reads from it, where names are at hand.
            parts: of all names together, where they are not kept name by name.
        """
        told = told or {}
        whose = [self._read(told[place]) if place in told else self._by_shape(name) for place, name in enumerate(names)]
        files, doubtful, identified = self._files(names, whose)
        groups = _known(self._group(one) for one in files) | {
            self._places[part] for part in parts & self._places.keys()
        }
        untold = 0
        for place, name in enumerate(names):
            of_image = self._by_word(name) if whose[place] is None else whose[place]
            groups |= of_image or set()
            untold += of_image is None and place not in identified
        return TrainedGroups(
            _known(groups),
            frozenset(one.case_id for one in files if one.case_id is not None),
            _known(self._group(one) for one in doubtful),
            len(names),
            untold,
        )

    def _group(self, known: KnownName) -> Group | None:
        return group_of(known.patient, known.sequence)

    def _files(
        self, names: Sequence[NameMarks], whose: Sequence[set[Group] | None]
    ) -> tuple[set[KnownName], set[KnownName], set[int]]:
        """The known files that are training images, those of which that cannot be told, and which names they are.

        Where several names or several known files have one stem, the folder above must be the same.
        """
        above: dict[str, set[str]] = defaultdict(set)
        for name in names:
            above[name.ends[0]] |= set(name.ends[1:2])
        same_files, doubtful, identified = set(), set(), set()
        for place, name in enumerate(names):
            candidates = self._by_stem.get(name.ends[0], ())
            if len({one.path for one in candidates}) > 1 or len(above[name.ends[0]]) > 1:
                if len(name.ends) == 1:
                    doubtful |= set(candidates)
                    continue
                candidates = [one for one in candidates if self._ends[one][1:2] == name.ends[1:2]]
            same = [
                one
                for one in candidates
                if not are_different(name, one.path, self.mark) and not self._is_of_another(one, name, whose[place])
            ]
            same_files |= set(same)
            identified |= {place} if same else set()
        return same_files, doubtful - same_files, identified

    def _is_of_another(self, known: KnownName, name: NameMarks, whose: set[Group] | None) -> bool:
        """Whether a name says that its frame is another patient's, where no file is at hand that says more.

        Frames are numbered alike in the folders of all patients. Names that were kept have no parts of their own.
        """
        group = self._group(known)
        at_hand = name.file is not None or name.size is not None
        if whose is None or group is None:
            return False
        return not at_hand and bool(name.parts) and group not in whose

    def _read(self, told: NamedGroups) -> set[Group] | None:
        """The groups that a rule's words mean; None where these do not decide whose frame it is."""
        if told.patient is not None:
            return set(_known([group_of(told.patient, None)]))
        of_sequence = self._by_sequence.get(folded(told.sequence or ""))
        return of_sequence or (None if self._has_patients else set(_known([group_of(None, told.sequence)])))

    def _by_word(self, name: NameMarks) -> set[Group] | None:
        return {self._words[one] for one in name.words & self._words.keys()} or None

    def _by_shape(self, name: NameMarks) -> set[Group] | None:
        """The groups of a name of the data set's shape, none where another text is at the patient's place."""
        if not name.forms & self._forms:
            return None
        return {self._places[part] for part in name.parts & self._places.keys()}

    @cached_property
    def _ends(self) -> Mapping[KnownName, tuple[str, ...]]:
        return {one: ends_of(one.name, self.mark) for one in self.people.known}

    @cached_property
    def _by_stem(self) -> Mapping[str, Sequence[KnownName]]:
        by_stem = defaultdict(list)
        for one, ends in self._ends.items():
            by_stem[ends[0]].append(one)
        return by_stem

    @cached_property
    def _by_sequence(self) -> Mapping[str, set[Group]]:
        by_sequence = defaultdict[str, set[Group]](set)
        for one in self.people.known:
            if one.sequence is not None:
                by_sequence[folded(one.sequence)] |= _known([self._group(one)])
        return by_sequence

    @cached_property
    def _has_patients(self) -> bool:
        return any(one.patient is not None for one in self.people.known)

    @cached_property
    def _words(self) -> Mapping[str, Group]:
        """Patients whose names are told wherever they stand."""
        marked = {}
        for one in self.people.known:
            text = None if one.patient is None else word(one.patient)
            group = self._group(one)
            if text is not None and group is not None:
                marked[self.mark(text)] = group
        return marked

    @cached_property
    def _placed(self) -> Sequence[tuple[Group, NamePlace, str]]:
        """Every group with the place of its text in its names; none at all where one of the names has no such place."""
        placed = {}
        for one in self.people.known:
            name = composed(one.name)
            read = self.people.rule.read(name)
            if read is None:
                return ()
            text = read.patient or read.sequence
            place = None if read.place is None else place_in(name, read.place)
            group = self._group(one)
            if text is None or place is None or group is None or group_of(read.patient, read.sequence) != group:
                return ()
            placed[group, place] = text
        return [(group, place, text) for (group, place), text in placed.items()]

    @cached_property
    def _places(self) -> Mapping[str, Group]:
        return {self.mark(place.part(text)): group for group, place, text in self._placed}

    @cached_property
    def _forms(self) -> frozenset[str]:
        """Forms that a patient's text has in these names. Names in letters alone have one each: then shapes decide."""
        forms = {place.form(text) for _, place, text in self._placed}
        groups = {group for group, _, _ in self._placed}
        if len(forms) > max(1, len(groups) // 2):
            forms = {place.shaped for _, place, _ in self._placed}
        return frozenset(map(self.mark, forms))


def told_by(people: PatientNames, names: Iterable[str]) -> dict[int, NamedGroups]:
    """What the rule of a data set reads from names that are at hand: by the place of the name."""
    by_place = {place: people.rule.read(composed(name)) for place, name in enumerate(names)}
    return {place: read for place, read in by_place.items() if read is not None}
