"""The patients of a data set are dealt into parts, and the parts kept with the data.

What training saw is asked of `helpers.evaluation.leakage`; the dealing is `helpers.data.splits.dealing`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.given_values import Spelling, optional_input_path
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage, natural_key
from helpers.data.layouts.detection import LAYOUTS, saved_rules
from helpers.data.opening import Opening
from helpers.data.rule_file import save_rules
from helpers.data.rules import Rules, Saved
from helpers.data.splits.dealing import deal, deal_folds
from helpers.data.splits.split import DEV, NO_SPLIT, TEST, TRAIN, Split
from helpers.evaluation.leakage.standing import Standing
from helpers.evaluation.leakage.training_data import TrainingData
from helpers.evaluation.leakage.training_list import read_training_list
from helpers.metrics.intervals import FEWEST_UNITS

_FEWEST_FOLDS = 2


@dataclass(frozen=True)
class SplitRequest:
    """What a split is asked for, as people give it.

    Attributes:
        opening: how the data set is opened; its `split` is not looked at.
        folds: number of folds; None for shares.
        train, dev, test: per cent of the patients; None for a part that there shall not be.
        already_trained: what a model was trained on, as `evaluate` takes it; its patients go to `train` only.
        spell: how the caller writes the name of a parameter, for messages.
    """

    opening: Opening
    folds: int | None = None
    train: int | None = None
    dev: int | None = None
    test: int | None = None
    seed: int = 0
    already_trained: Path | None = None
    spell: Spelling = field(default=str, repr=False)

    def run(self) -> "KeptSplit":
        """Deal the patients and keep the parts with the data.

        Raises:
            UsageProblem: for numbers that do not fit together.
            RefusedInput: where patients are unknown, too few, or all known to training; where another split is kept.
        """
        shares = self._shares()
        trained_file = optional_input_path(self.already_trained, self.spell("already_trained"))
        opened = replace(self.opening, split=None).open(Rules(split=NO_SPLIT))
        cases = sorted(opened.cases, key=lambda case: natural_key(_original_name(opened, case)))
        patients = _patients(opened, cases, self.spell("group_by"))
        trained = frozenset() if trained_file is None else _trained(opened, trained_file)
        names = [f"fold{number}" for number in range(1, (self.folds or 0) + 1)] if shares is None else list(shares)
        asked = Split(dict.fromkeys([*names, *([TRAIN] if trained else [])], ()), (), opened.key_fingerprint, self.seed)
        saved = saved_rules(opened.root)
        kept = saved.rules.split
        # What can be told without reading the frames.
        if kept is not None and not _may_be(kept, replace(asked, shares=shares), frozenset(patients), trained):
            raise _another_is_kept(saved, kept)
        vessel = _vessel_shares(opened, cases)
        if shares is None:
            dealt = deal_folds(patients, self.folds or 0, seed=self.seed, vessel=vessel, trained=trained)
        else:
            dealt = deal(patients, shares, seed=self.seed, vessel=vessel, trained=trained)
        sealed = tuple(one for one in (TEST,) if one in dealt.parts)
        split = replace(asked, parts=dealt.parts, sealed=sealed, shares=shares, strata=dealt.strata)
        if kept is not None and kept != split:
            raise _another_is_kept(saved, kept)
        rules = replace(self.opening.to_keep(opened, Rules()), split=split)
        path = save_rules(opened.root, rules, LAYOUTS)
        frames = Counter(patients)
        return KeptSplit(
            path, split, {name: sum(frames[one] for one in ones) for name, ones in split.parts.items()}, len(trained)
        )

    def _shares(self) -> Mapping[str, int] | None:
        """The shares asked for; None for folds."""
        given = {TRAIN: self.train, DEV: self.dev, TEST: self.test}
        shares = {name: share for name, share in given.items() if share}
        if self.folds is not None:
            if shares:
                raise UsageProblem(f"{self.spell('folds')}: expected folds or shares, got both. Leave one of them out")
            if self.folds < _FEWEST_FOLDS:
                raise UsageProblem(f"{self.spell('folds')}: expected at least {_FEWEST_FOLDS}, got {self.folds}")
            return None
        names = ", ".join(map(self.spell, given))
        if any(share is not None and share < 0 for share in given.values()) or sum(shares.values()) != 100:
            got = ", ".join(f"{name} {share}" for name, share in shares.items()) or "nothing"
            raise UsageProblem(f"{names}: expected shares in per cent that make up 100, got {got}. Or give folds")
        if len(shares) < _FEWEST_FOLDS:
            raise UsageProblem(f"{names}: expected two parts at least, got {', '.join(shares)} alone")
        return shares


@dataclass(frozen=True)
class KeptSplit:
    """A split that was kept.

    Attributes:
        path: the file of the rules.
        frames: of each part.
        trained: number of patients that training saw.
    """

    path: Path
    split: Split
    frames: Mapping[str, int]
    trained: int

    def to_text(self) -> str:
        """A line for each part with the share asked for, what they are alike in, and what a small test cannot say."""
        lines, shares = [], self.split.shares or {}
        whole = sum(map(len, self.split.parts.values()))
        for name, patients in self.split.parts.items():
            sealed = ", sealed: each evaluation on them is counted" if name in self.split.sealed else ""
            asked = f" ({100 * len(patients) / whole:.0f} %, asked for {shares[name]} %)" if name in shares else ""
            size = f"{counted(len(patients), 'patient')}{asked}, {counted(self.frames[name], 'frame')}"
            lines.append(f"{name}: {size}{sealed}")
        if self.trained:
            lines.append(f"{counted(self.trained, 'TRAINING patient')} in {TRAIN} alone")
        lines.append(f"seed {self.split.seed}; strata: {self.split.strata}")
        few = [name for name in self.split.sealed if len(self.split.parts[name]) < FEWEST_UNITS]
        for name in few:
            lines.append(
                f"warning: {name} has {counted(len(self.split.parts[name]), 'patient')}, fewer than {FEWEST_UNITS}: "
                "no p-values, and wide intervals or none"
            )
        return "\n".join(lines)


def _original_name(opened: Dataset, case: Case) -> str:
    """The frame's name in its data set, so that the dealing depends on seed and files, and not on the key of ids."""
    return opened.people.by_case[case.case_id].name


def _may_be(kept: Split, asked: Split, patients: frozenset[str], trained: frozenset[str]) -> bool:
    """Whether a kept split may be the one that is asked for, as far as seed, parts, shares and patients tell."""
    same = (kept.seed, kept.shares, kept.key_fingerprint) == (asked.seed, asked.shares, asked.key_fingerprint)
    known = {patient for part in kept.parts.values() for patient in part}
    return (
        same
        and kept.parts.keys() == asked.parts.keys()
        and known == patients
        and trained <= {*kept.parts.get(TRAIN, ())}
    )


def _another_is_kept(saved: Saved, kept: Split) -> RefusedInput:
    files = saved.files if saved.above is None or saved.own.split is not None else saved.above.files
    where = " and ".join(map(str, files))
    return RefusedInput(
        f"{where}: another split is kept with the data ({kept.to_text()}): patients that train would come to test, or "
        "the other way round. Take `split` out of that file to deal anew"
    )


def _patients(opened: Dataset, cases: list[Case], option: str) -> list[str]:
    """The patient of each case, under one id whatever the spelling.

    Args:
        option: how the caller writes the parameter of the rule for patients.
    """
    patients = [opened.people.spellings.of(case.frame.patient) for case in cases]
    known = [one for one in patients if one is not None]
    if len(known) < len(patients):
        raise RefusedInput(
            f"{opened.root}: expected the patient of every frame, found none for {len(patients) - len(known)} of "
            f"{len(patients)}: frames of one patient could end up on both sides. Say whose they are with "
            f"{option}, a regular expression with (?P<patient>...) or column:NAME of a CSV file"
        )
    return known


def _trained(opened: Dataset, path: Path) -> frozenset[str]:
    """The patients that training saw. Raises RefusedInput where that is not known of every patient."""
    case_ids = [case.case_id for case in opened.cases]
    standings = TrainingData(opened, read_training_list(path, opened)).standings(None, case_ids)
    found: dict[Standing, set[str]] = {one: set() for one in Standing}
    for case in opened.cases:
        united = opened.people.spellings.of(case.frame.patient)
        if united is not None:
            found[standings.by_case[case.case_id]].add(united)
    unknown = found[Standing.UNKNOWN] - found[Standing.TRAINING]
    if unknown:
        raise RefusedInput(
            f"{path}: expected to learn which patients training saw, and of {len(unknown)} of this data set it cannot "
            f"be told: {'; '.join(standings.reasons)}"
        )
    return frozenset(found[Standing.TRAINING])


def _vessel_shares(opened: Dataset, cases: list[Case]) -> list[float | None]:
    """Share of each frame that is vessel; None where it has no ground truth that can be drawn."""
    if opened.undecided is not None or (opened.exported is not None and not opened.exported.are_truth):
        return [None] * len(cases)
    return [_vessel_share(case) for case in track(cases, "vessels", unit="frame")]


def _vessel_share(case: Case) -> float | None:
    if case.truth is None:
        return None
    try:
        image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
        return float(np.mean(case.truth.mask(*image.size)))
    except (UnreadableImage, RefusedInput):
        return None
