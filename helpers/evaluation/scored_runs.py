"""Scored runs: one prompt of a finished run each, under a short name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.data.dataset import Dataset
from helpers.data.frames.frame_source import current_sha256, pixel_sha256
from helpers.metrics.case_scores import CaseScoring
from helpers.runs.finishing import OFFICIAL_CHECK
from helpers.runs.mask_origins import MaskOrigins
from helpers.runs.provenance import is_as_found
from helpers.runs.run_config import CONFIG_NAME
from helpers.runs.run_folder import Run, open_run, require_comparable


@dataclass(frozen=True)
class ScoredRun:
    """One prompt of a run.

    Attributes:
        name: in all tables; no two scored runs have the same.
    """

    name: str
    run: Run = field(repr=False)
    prompt_id: str

    @property
    def model(self) -> Mapping[str, Any]:
        """Identity of what made the masks, as the run has it; empty where it does not say."""
        return self.run.config.values.get("model") or {}

    @cached_property
    def origins(self) -> MaskOrigins:
        """What its masks began from before they were imported; nothing for masks that a model made here."""
        return MaskOrigins.of_config(self.run.config.values, self.run.folder / CONFIG_NAME)

    @property
    def tuned_on(self) -> tuple[str, ...]:
        """Ids of the cases that the run's parameters were chosen on; none where the run does not say."""
        return tuple(self._tuned.get("cases", ()))

    @property
    def tuned_key(self) -> str | None:
        """Fingerprint of the key of these ids; None where they are kept ones."""
        return self._tuned.get("key_fingerprint")

    @property
    def model_name(self) -> str:
        """What made the masks, for people; empty where the run does not say."""
        model = self.model
        match model.get("kind"):
            case "vesselness":
                chosen = f"tuned on {counted(len(self.tuned_on), 'case')}" if self.tuned_on else "default settings"
                return f"{model['ridge']}, {chosen}"
            case "imported":
                return f"{model['name']}, imported"
        return str(model.get("folder_name", ""))

    @property
    def official_check(self) -> Mapping[str, Any] | None:
        """How the model stood to the official code when the run was finished; None where nobody looked."""
        return self.run.manifest.get(OFFICIAL_CHECK)

    def mask(self, case_id: str) -> np.ndarray | None:
        """The stored mask, bool (H, W); None where the run has none, or not the case. Raises as `Run.mask`."""
        return self.run.mask(case_id, self.prompt_id) if self.run.has(case_id) else None

    def has_mask(self, case_id: str) -> bool:
        """Whether it predicted a mask of a case, an empty one included."""
        return self.run.has(case_id) and self.run.prediction(case_id, self.prompt_id)[0].mask_pixels is not None

    def prediction(self, case_id: str) -> str | None:
        """Fingerprint of what the run says of a case, see `Run.fingerprint`; None where it does not have it."""
        return self.run.fingerprint(case_id, self.prompt_id) if self.run.has(case_id) else None

    def status(self, case_id: str) -> str:
        """How the prediction of a case ended."""
        if not self.run.has(case_id):
            return str(CaseScoring.MISSING)
        return str(self.run.prediction(case_id, self.prompt_id)[0].status)

    def facts(self) -> dict[str, Any]:
        """What decides the masks, as a JSON object without paths."""
        values = self.run.config.values
        return {
            "name": self.name,
            "prompt_id": self.prompt_id,
            "prompt": self.run.prompts[self.prompt_id],
            "config_sha256": self.run.config.config_sha256,
            "model": values.get("model"),
            "predictor": values.get("predictor"),
            "threshold": self.run.threshold,
            "combine": self.run.combine.value,
            "limit": values.get("limit"),
            "dataset": values.get("dataset"),
            "data_sha256": self.run.manifest.get("data_sha256"),
        }

    @property
    def _tuned(self) -> Mapping[str, Any]:
        return self.model.get("tuned_on") or {}


def open_scored_runs(
    folders: Sequence[Path], names: Sequence[str] | None = None, prompt: str | None = None
) -> tuple[ScoredRun, ...]:
    """Open finished runs. One with several prompts is several scored runs, `name:p1`, `name:p2`, unless one is chosen.

    Args:
        names: one for each folder; None takes the folders' own, with a number behind one that comes twice.
        prompt: id of the prompt to score in all runs; None for every one.
    Raises:
        UsageProblem: where names do not fit, or a run has no such prompt.
        RefusedInput: where a run is not finished or damaged, or two have case ids from different keys or of different
            frames.
    """
    if not folders:
        raise UsageProblem("expected at least one run to evaluate, got none")
    given = distinct_names([Path(folder).name for folder in folders]) if names is None else list(names)
    if len(given) != len(folders) or len(set(given)) < len(given) or not all(name.strip() for name in given):
        raise UsageProblem(
            f"names: expected a different one for each of the {counted(len(folders), 'run')}, got {given}"
        )
    scored_runs = []
    runs = [open_run(folder) for folder in folders]
    for first, second in combinations(runs, 2):
        require_comparable(first, second)
    for name, run in zip(given, runs, strict=True):
        if prompt is not None and prompt not in run.prompts:
            raise UsageProblem(f"prompt: expected one of {', '.join(run.prompts)} in run {name}, got {prompt!r}")
        prompts = list(run.prompts) if prompt is None else [prompt]
        scored_runs += [ScoredRun(name if len(prompts) == 1 else f"{name}:{each}", run, each) for each in prompts]
    return tuple(scored_runs)


def require_same_ids(scored_runs: Sequence[ScoredRun], dataset: Dataset) -> None:
    """Raise RefusedInput where the case ids of runs and data set come from different keys."""
    for scored_run in scored_runs:
        if scored_run.run.key_fingerprint != dataset.key_fingerprint:
            raise RefusedInput(
                f"run {scored_run.name}: its case ids come from key {scored_run.run.key_fingerprint}, those of the "
                f"data set from {dataset.key_fingerprint}, so that equal ids are not equal cases. Give the key that "
                "the run was made with (--id-key; of a data set that was copied, its hidden folder .vesselkit), or "
                "predict again"
            )


def require_same_frames(scored_runs: Sequence[ScoredRun], dataset: Dataset, case_ids: Sequence[str]) -> None:
    """Raise RefusedInput where a case's frame in the data set is not the one that was predicted.

    A frame is read where its file is not as the run found it. One that cannot be read now is not compared.

    Args:
        scored_runs: comparable ones, so that all have the same frame of a case.
    """
    runs = list({scored_run.run.folder: scored_run.run for scored_run in scored_runs}.values())
    known = {case_id: digest for run in runs for case_id, digest in run.image_hashes.items()}
    wanted = set(case_ids)
    frames = [frame for frame in dataset.frames if frame.case_id in wanted and frame.case_id in known]
    other = []
    for frame in track(frames, "comparing frames", unit="frame"):
        if any(is_as_found(run.folder, frame, known[frame.case_id]) for run in runs):
            continue
        if current_sha256(frame) not in (None, known[frame.case_id]):
            other.append(frame.case_id)
    if other:
        raise RefusedInput(
            f"expected the frames that were predicted, found other pixels in {len(other)} of "
            f"{counted(len(frames), 'case')} of the data set, the first {other[0]}{_other_depth(runs, dataset)}. Check "
            "--data, or predict again with the same command"
        )


def _other_depth(runs: Sequence[Run], dataset: Dataset) -> str:
    """What to add where runs read 16-bit frames by another depth than the data set's; empty where none did."""
    bits = dataset.depth.bits
    other_depths = {(run.config.values.get("dataset") or {}).get("bits") for run in runs} - {bits}
    if not other_depths or bits is None:
        return ""
    said = ["by each frame's own maximum" if one is None else f"as {one} bits" for one in sorted(other_depths, key=str)]
    return f" (16-bit frames were read {' and '.join(said)}, and the data set has {bits} bits)"


def require_predicted(case_id: str, image: Image.Image, scored_runs: Sequence[ScoredRun]) -> None:
    """Raise RefusedInput where a frame, RGB, is not the one that was predicted under this id."""
    hashes = {one.run.image_hashes[case_id] for one in scored_runs if case_id in one.run.image_hashes}
    if hashes and hashes != {pixel_sha256(image)}:
        raise RefusedInput(
            f"{case_id}: expected the frame that was predicted, found other pixels in the data set. Name the data set "
            "of the run, or predict it again"
        )


def require_whole(scored_runs: Sequence[ScoredRun], case_ids: Sequence[str]) -> list[str]:
    """Check that masks and logits of cases are those that the runs wrote, before anything is computed from them.

    Returns:
        Warnings of runs that cannot tell, and of runs whose cases were not all computed under the same conditions.
    Raises:
        RefusedInput: as `Run.require_whole`.
    """
    warnings = dict[str, None]()
    for scored_run in scored_runs:
        scored_run.run.require_whole(case_ids, scored_run.prompt_id)
        told = (scored_run.run.unchecked, scored_run.run.mixture)
        warnings |= {f"run {scored_run.run.folder.name}: {text}": None for text in told if text is not None}
    return list(warnings)


def require_untuned(scored_runs: Sequence[ScoredRun], dataset: Dataset, case_ids: Sequence[str]) -> list[str]:
    """Check that no run's parameters were chosen on cases that would be scored.

    Returns:
        Warnings of runs where that cannot be told, since the ids of those cases come from another key.
    Raises:
        RefusedInput: where they were.
    """
    warnings = []
    for scored_run in scored_runs:
        if scored_run.tuned_on and scored_run.tuned_key != dataset.key_fingerprint:
            warnings.append(
                f"run {scored_run.name}: its parameters were chosen on {counted(len(scored_run.tuned_on), 'case')} "
                "under another key of ids; whether they are among the scored ones cannot be told"
            )
            continue
        shared = sorted(set(scored_run.tuned_on) & set(case_ids))
        if shared:
            raise RefusedInput(
                f"run {scored_run.name}: its parameters were chosen on {len(shared)} of the cases to be scored, the "
                f"first {shared[0]}; its score there says nothing. Evaluate another split, or tune on other cases"
            )
    return warnings


def distinct_names(names: Sequence[str]) -> list[str]:
    """The names, a repeated one with the next free number behind: a, a-2, a-3."""
    taken: list[str] = []
    for name in names:
        number, chosen = 1, name
        while chosen in taken:
            number += 1
            chosen = f"{name}-{number}"
        taken.append(chosen)
    return taken
