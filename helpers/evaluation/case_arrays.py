"""From a run folder and a data set to the arrays of cases, scored with several processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import pandas as pd

from helpers.core.errors import RefusedInput
from helpers.core.processes import parallel_map
from helpers.core.progress import track
from helpers.data.cases import Case, Truth, ignored_of, scored_pixels
from helpers.data.dataset import Dataset
from helpers.data.frames.dicom_header import dicom_facts, is_dicom
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.truth.ground_truth import BrokenTruth
from helpers.data.truth.rescaled_truth import RescaledTruth
from helpers.evaluation.paired import compare, pair
from helpers.evaluation.score_table import scores_table
from helpers.evaluation.scored_runs import ScoredRun
from helpers.metrics.case_scores import CaseArrays, CaseScores, score_case
from helpers.metrics.intervals import DRAWS, SEED
from helpers.metrics.postprocessing import Processing
from helpers.metrics.reference_bounds import ReferenceBounds, reference_bounds
from helpers.runs.provenance import file_state
from helpers.runs.run_config import MANIFEST_NAME
from helpers.runs.run_folder import Run, open_run

_CHUNK = 8
# A process takes as long to start as another takes to score some 50 cases. With fewer than this each, it does not pay.
_CASES_A_PROCESS = 200


Key = TypeVar("Key")


def score_many(
    load: Callable[[Key], CaseArrays], keys: Sequence[Key], processes: int = 2, *, progress: bool = True
) -> list[CaseScores]:
    """Score cases, in the order of `keys`.

    Args:
        load: gives the arrays of one case; it runs in the worker, so that only keys and scores travel. It must be
            picklable: a function of a module, or a `functools.partial` of one.
        processes: at most so many, and one for each 200 cases; with 1, everything runs in this process.
    Raises:
        RefusedInput: from `score_case` or `load`, at the first case that cannot be scored.
        VesselkitError: as `parallel_map`.
    """
    work = partial(_load_and_score, load)
    scored = parallel_map(work, keys, min(processes, len(keys) // _CASES_A_PROCESS), chunk=_CHUNK)
    return list(track(scored, "scoring", total=len(keys), unit="case") if progress else scored)


def _load_and_score(load: Callable[[Key], CaseArrays], key: Key) -> CaseScores:
    return score_case(load(key))


@dataclass(frozen=True)
class Scorable:
    """A case with ground truth, and the size that its masks have.

    Attributes:
        size: width and height of the frame in pixels.
        spacing_mm: height and width of a pixel; None where unknown.
    """

    case: Case = field(repr=False)
    size: tuple[int, int]
    spacing_mm: tuple[float, float] | None = None

    @property
    def case_id(self) -> str:
        return self.case.case_id

    @property
    def truth(self) -> Truth:
        """Its ground truth. Raises RefusedInput as `required_truth`."""
        return required_truth(self.case)


def required_truth(case: Case) -> Truth:
    """The ground truth of a case that is scored. Raises RefusedInput where it has none."""
    if case.truth is None:
        raise RefusedInput(f"{case.case_id}: expected a case with ground truth, found none. Leave it out")
    return case.truth


def scorable(dataset: Dataset, case_ids: Sequence[str], runs: Sequence[Run]) -> list[Scorable]:
    """The cases of these ids, in the data set's order, checked before any is scored.

    Raises:
        RefusedInput: where a ground truth cannot be drawn on its frame.
    """
    wanted, sizes = set(case_ids), _sizes(runs)
    cases_to_score, problems = [], []
    chosen = [case for case in dataset.cases if case.case_id in wanted]
    spacings = {path: _spacing(path) for path in {case.frame.path for case in chosen}}  # a cine has many cases
    for case in track(chosen, "checking", unit="case"):
        truth = case.truth
        size = sizes.get(case.case_id) or _size(case)
        stated = None if truth is None or isinstance(truth, RescaledTruth) else truth.size
        if isinstance(truth, BrokenTruth):
            problems.append(f"{case.case_id}: {truth.reason}")
        elif stated is not None and tuple(stated) != size:
            problems.append(f"{case.case_id}: made for {stated[0]}x{stated[1]}, the frame is {size[0]}x{size[1]}")
        cases_to_score.append(Scorable(case, size, spacings[case.frame.path]))
    if problems:
        raise RefusedInput(
            f"expected ground truths that fit their frames, found {len(problems)} that do not, the first "
            f"{problems[0]}. Correct the annotations (`vesselkit data check` lists all), or ask for --rescale, "
            "or --rescale-from WxH where the annotations state no size"
        )
    return cases_to_score


def score_run(scored_run: ScoredRun, cases: Sequence[Scorable], processes: int = 2) -> list[CaseScores]:
    """Scores of one scored run on all of `cases`, in their order. Raises RefusedInput as `score_case`."""
    load = partial(load_case, scored_run.run.folder, scored_run.prompt_id)
    return score_many(load, cases, processes)


def load_case(folder: Path, prompt_id: str, wanted: Scorable) -> CaseArrays:
    """The arrays of one case and prompt: ground truth drawn, the stored mask, and the map behind it."""
    run = _opened(folder, file_state(folder / MANIFEST_NAME))
    width, height = wanted.size
    frame = wanted.case.frame
    known = run.has(wanted.case_id)
    return CaseArrays(
        case_id=wanted.case_id,
        truth=wanted.truth.mask(width, height),
        ignored=ignored_of(wanted.truth, width, height),
        prediction=run.mask(wanted.case_id, prompt_id) if known else None,
        sequence=frame.sequence,
        patient=frame.patient,
        missing=not known,
        logits=run.full_map(wanted.case_id, prompt_id) if known else None,
        logits_expected=True,
        spacing_mm=wanted.spacing_mm,
        spread=run.spread(wanted.case_id, prompt_id) if known else None,
    )


def reference_bounds_of(cases: Sequence[Scorable]) -> list[ReferenceBounds]:
    """The reference bounds of each case. Every ground truth is drawn for them, so that a broken one is found here.

    Raises:
        RefusedInput: naming the first of all that cannot be drawn.
    """
    bounds, problems = [], []
    for wanted in track(cases, "reference bounds", unit="case"):
        try:
            bounds.append(_reference_bounds(wanted.truth, wanted.size))
        except UnreadableImage as error:
            problems.append(f"{wanted.case_id}: the mask cannot be read: {error.reason}")
        except RefusedInput as error:
            problems.append(f"{wanted.case_id}: {error}")
    if problems:
        raise RefusedInput(
            f"expected ground truths that can be drawn, found {len(problems)} that cannot, the first {problems[0]}. "
            "`vesselkit data check` lists all"
        )
    return bounds


def _reference_bounds(truth: Truth, size: tuple[int, int]) -> ReferenceBounds:
    return reference_bounds(truth.mask(*size), scored_pixels(ignored_of(truth, *size)))


@lru_cache(maxsize=4)
def _opened(folder: Path, manifest: str | None) -> Run:
    """The run of a folder; `manifest`, the state of its file, tells one that has been made anew since."""
    return open_run(folder)


def _sizes(runs: Sequence[Run]) -> dict[str, tuple[int, int]]:
    """Case id -> width and height, of every case that a run could read."""
    return {row.case_id: (row.width, row.height) for run in runs for row in run.rows if row.width and row.height}


def _size(case: Case) -> tuple[int, int]:
    """Width and height of a frame, or of the truth of one that cannot be read, as no run could read it either."""
    try:
        return read_frame(case.frame.path, case.frame.index, case.frame.bits).size
    except UnreadableImage:
        if case.truth is None or case.truth.size is None:
            raise
        width, height = case.truth.size
        return width, height


def _spacing(path: Path) -> tuple[float, float] | None:
    return dicom_facts(path).spacing_mm if is_dicom(path) else None


def processed_scores(
    scored_run: ScoredRun, cases: Sequence[Scorable], processing: Processing, processes: int = 2
) -> pd.DataFrame:
    """The table of scores of a scored run's processed masks. Raises RefusedInput as `score_case`."""
    load = partial(load_processed, scored_run.run.folder, scored_run.prompt_id, processing)
    return scores_table(score_many(load, cases, processes))


def load_processed(folder: Path, prompt_id: str, processing: Processing, wanted: Scorable) -> CaseArrays:
    """As `loading.load_case`, with the mask processed and without the logits, which that leaves as they are."""
    case = load_case(folder, prompt_id, wanted)
    mask = None if case.prediction is None else processing.apply(case.prediction)
    return replace(case, prediction=mask, logits=None, logits_expected=False, spread=None)


def gains(table: pd.DataFrame, processed: pd.DataFrame, *, draws: int = DRAWS, seed: int = SEED) -> pd.DataFrame:
    """What processing changes: rows of `paired.compare`, processed masks less the masks as they are."""
    return compare(pair(table, processed), draws=draws, seed=seed)
