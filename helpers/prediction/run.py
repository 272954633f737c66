"""Predictions of a data set into a run folder (docs/run-format.md): checked first, resumable, in shards."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.core.errors import DISK_FULL, RefusedInput, Stopped, UsageProblem, VesselkitError
from helpers.core.paths import PARTIAL_PREFIX
from helpers.core.progress import Bar
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Combine, Ensemble, Mode
from helpers.data.frames.frame import Frame, listing_sha256, order_sha256
from helpers.prediction.batch_size import automatic_batch_size, device_of
from helpers.prediction.engine.batch_pipeline import run_batches, stopping
from helpers.prediction.engine.case_result import Thresholding
from helpers.prediction.engine.case_writer import Commit
from helpers.prediction.engine.io_threads import unwritten
from helpers.prediction.ensemble import passes
from helpers.prediction.flipping_predictor import FlippingPredictor
from helpers.prediction.predictor import DEFAULT_PROMPT, Predictor, check_prompts
from helpers.prediction.resume import RecomputeReason, open_cases, reopen, tell, tell_making
from helpers.prediction.run_summary import RunSummary
from helpers.prediction.sequences.sequence_answers import first_frames, sequences_of, whole_sequences
from helpers.prediction.sequences.sequence_tracking import SequencePredictor, run_sequences
from helpers.prediction.work_shards import WHOLE, WorkShard, finishing_lock, fixed_batches, shard_lock, start_lock
from helpers.runs.asked_prompts import AskedPrompts, Prompts
from helpers.runs.case_parts import read_part, remove_leftovers
from helpers.runs.finishing import OFFICIAL_CHECK, finish_run, is_finished, noted_check
from helpers.runs.provenance import making
from helpers.runs.result_rows import listed
from helpers.runs.run_config import CONFIG_NAME, Extent, RunConfig, check_asked, extent_of, read_config, start_run
from helpers.runs.settling import Settling
from helpers.runs.status import all_failed
from helpers.runs.stored_maps import threshold_logit

# A frame that is another one, or was left out, changes what is followed through its whole sequence.
_CHANGES_SEQUENCE = frozenset({RecomputeReason.CHANGED, RecomputeReason.OUT_OF_MEMORY})


def predict(
    frames: Sequence[Frame],
    predictor: Predictor | SequencePredictor,
    output: Path,
    prompts: Prompts = (DEFAULT_PROMPT,),
    *,
    threshold: float = 0.5,
    combine: Combine = Combine.UNION,
    batch_size: int | None = None,
    limit: int | None = None,
    shard: WorkShard = WHOLE,
    dataset: Mapping[str, Any] | None = None,
    official_check: Mapping[str, Any] | None = None,
    ensemble: Sequence[Ensemble] = (),
) -> RunSummary:
    """Predict frames into the run folder `output`, going on where an earlier call of this configuration was stopped.

    A frame that fails gets a row with its status and no mask; the run goes on. Whoever writes the last case of a run
    finishes it.

    Args:
        frames: in the order that makes the batches; those of an opened data set.
        predictor: one of sequences takes each sequence whole, in place of batches.
        prompts: the user's words, each asked of every frame; or those of each frame by its case id.
        threshold: probability above which a pixel is in the mask.
        combine: how the maps of several `[SEG]` become one mask.
        batch_size: frames predicted together; None for that of the run to resume, or one that suits the device. Of
            no effect on sequences.
        limit: only so many frames, the first ones, in sequences the first ones in time; None for all. A run of the
            first ones goes on where more are asked for.
        shard: this call's share of the batches.
        dataset: JSON object without names that says how the data set was opened: layout, ids, key fingerprint.
        official_check: what a comparison of the model with official code found (docs/receipt-format.md), for the
            manifest; a finished run takes it up too. None where there was none.
        ensemble: what each frame is predicted again under, as `check_ensemble` allows; the masks stay the same.
    Raises:
        UsageProblem: for parameters that cannot work.
        RefusedInput: where the folder holds a run of another configuration, or of more frames than are asked for.
        VesselkitError: where the shard is being computed by another process, or results cannot be written; what was
            computed before is kept.
        Stopped: where the run was asked to stop; as above.
    """
    check_parameters(prompts, threshold, batch_size, limit)
    output = Path(output)
    check_output(output)
    mode = predictor.mode if isinstance(predictor, SequencePredictor) else Mode.FRAME
    check_own_prompts(prompts, frames, mode)
    chosen = first_frames(frames, limit, mode)
    case_ids = [frame.case_id for frame in chosen]
    if mode is not Mode.FRAME:
        sequences_of(chosen)  # refuses before the folder is made
    settings: dict[str, Any] = {"threshold": threshold, "combine": combine, "dataset": dataset, "mode": mode}
    settings["ensemble"] = ensemble
    known = known_values(frames, prompts, limit=limit, **settings)
    values = {**known, "model": dict(predictor.identity), "predictor": dict(predictor.settings)}
    asked = AskedPrompts.of_config(known)

    def extent_at(most: int | None) -> Extent:
        return extent_of(known_values(frames, prompts, limit=most, **settings))

    batch_size = batch_size if mode is Mode.FRAME else 1
    batch_size, config = _started(output, values, batch_size, predictor, extent_at)
    batches = _batches(frames, limit, mode, batch_size)
    uncut = {mark: _uncut(batches, _batches(frames, most, mode, batch_size)) for mark, most in config.earlier.items()}
    own = [batch for place, batch in enumerate(batches) if shard.takes(place)]
    thresholding = Thresholding(threshold, combine, Ensemble.PROMPTS in ensemble)
    if passes(ensemble) > 1 and not isinstance(predictor, SequencePredictor):
        predictor = FlippingPredictor(predictor)
    with writing(), shard_lock(output, shard.index, shard.count):
        _refuse_grown(output, config)  # before it takes back what the larger run has computed
        settling = _compute(own, predictor, output, asked, thresholding, config, uncut, shard, case_ids)
    with writing(), finishing_lock(output):
        _refuse_grown(output, config)
        noted = {} if official_check is None else {OFFICIAL_CHECK: dict(official_check)}
        is_done = is_finished(output, case_ids) and noted_check(output) == official_check
        complete = is_done or finish_run(output, case_ids, noted, str(device_of(predictor)), settling.part)
    own_ids = [frame.case_id for batch in own for frame in batch]
    failure = _failure(output, case_ids if complete else own_ids)
    return RunSummary(output, shard, complete, len(chosen), len(frames), failure)


def _refuse_grown(output: Path, config: RunConfig) -> None:
    """Raise VesselkitError if another command has enlarged the run since this one began."""
    if read_config(output).config_sha256 != config.config_sha256:
        raise VesselkitError(
            f"{output}: another command asked for more cases meanwhile. What was computed counts; give that command"
        )


def _batches(frames: Sequence[Frame], limit: int | None, mode: Mode, batch_size: int) -> tuple[tuple[Frame, ...], ...]:
    """What is computed at once in a run of so many frames: batches, or whole sequences."""
    chosen = first_frames(frames, limit, mode)
    return fixed_batches(chosen, batch_size) if mode is Mode.FRAME else sequences_of(chosen)


def _uncut(batches: Sequence[Sequence[Frame]], before: Sequence[Sequence[Frame]]) -> frozenset[str]:
    """The cases of batches that were the same under a smaller limit."""
    same = {tuple(frame.case_id for frame in batch) for batch in before}
    return frozenset(
        frame.case_id for batch in batches if tuple(one.case_id for one in batch) in same for frame in batch
    )


def check_parameters(
    prompts: Prompts, threshold: float, batch_size: int | None = None, limit: int | None = None
) -> None:
    """Raise UsageProblem where the parameters of a run cannot work."""
    each = prompts if isinstance(prompts, Mapping) else {None: prompts}
    for case_id, asked in each.items():
        check_prompts(asked, "prompt" if case_id is None else f"prompt of {case_id}")
    threshold_logit(threshold)
    for name, number in (("batch size", batch_size), ("limit", limit)):
        if number is not None and number < 1:
            raise UsageProblem(f"{name}: expected at least 1, got {number}")


def check_own_prompts(prompts: Prompts, frames: Sequence[Frame], mode: Mode) -> None:
    """Raise UsageProblem where prompts by case id are not those of the frames, or cannot be asked of sequences."""
    if not isinstance(prompts, Mapping):
        return
    case_ids = {frame.case_id for frame in frames}
    if case_ids != set(prompts):
        raise UsageProblem(
            f"prompts: expected some of each of {counted(len(case_ids), 'case')} and of no other, got those of "
            f"{len(prompts)}; on one side only: {listed(sorted(case_ids ^ set(prompts)))}"
        )
    if mode is not Mode.FRAME:
        raise UsageProblem(f"mode {mode}: asks whole sequences, and cases have prompts of their own. Use mode frame")


def check_output(
    output: Path,
    known: Mapping[str, Any] | None = None,
    extent_at: Callable[[int | None], Extent] | None = None,
) -> None:
    """Raise RefusedInput where a folder holds something other than a run that can be resumed.

    Args:
        known: fields of the configuration that are known before the model is loaded; a run that differs in one of them
            is refused, with the fields.
        extent_at: the extent of a limit in the data set, see `helpers.runs.run_config`; None where it is not known.
    """
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / CONFIG_NAME).is_file() and not _is_started(output):
        raise RefusedInput(f"{output}: this folder is neither empty nor a run that can be resumed. Name another one")
    if known and (output / CONFIG_NAME).is_file():
        stored = read_config(output).values
        check_asked(output, {name: stored[name] for name in known if name in stored}, known, extent_at)


def check_asking(
    output: Path,
    frames: Sequence[Frame],
    prompts: Prompts,
    *,
    model: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    **settings: Any,
) -> None:
    """`check_output` with all of a run that is known before its model is loaded.

    Args:
        model: the predictor's identity; not compared where it is None, nor is the batch size.
        settings: as `known_values` takes them.
    """
    given = {"model": model, "batch_size": batch_size}
    known = known_values(frames, prompts, **settings) | {name: one for name, one in given.items() if one is not None}
    check_output(output, known, lambda most: extent_of(known_values(frames, prompts, **{**settings, "limit": most})))


def known_values(
    frames: Sequence[Frame],
    prompts: Prompts,
    *,
    threshold: float,
    combine: Combine,
    limit: int | None,
    dataset: Mapping[str, Any] | None,
    mode: Mode = Mode.FRAME,
    ensemble: Sequence[Ensemble] = (),
) -> dict[str, Any]:
    """The part of a run's configuration that needs no model. Arguments as in `predict`."""
    chosen = first_frames(frames, limit, mode)
    order = None if mode is Mode.FRAME else order_sha256(chosen)
    return {
        **({} if mode is Mode.FRAME else {"mode": mode.value}),
        **AskedPrompts.numbered(prompts).to_config(),
        "threshold": threshold,
        "combine": combine.value,
        **({"ensemble": [kind.value for kind in ensemble]} if ensemble else {}),
        "limit": limit,
        "dataset": {
            **(dataset or {}),
            "cases": len(chosen),
            "listing_sha256": listing_sha256(chosen),
            **({} if order is None else {"order_sha256": order}),
        },
    }


def _failure(output: Path, case_ids: Sequence[str]) -> str | None:
    """What the first of some done cases ended with, where every one ended in an error; None otherwise."""
    first = None
    for case_id in case_ids:
        rows = read_part(output, case_id).rows
        if not all_failed(row.status for row in rows):
            return None
        first = first or rows[0]
    if first is None:
        return None
    return f"{first.case_id}, {first.status}" + (f": {first.message}" if first.message else "")


def _started(
    output: Path,
    values: Mapping[str, Any],
    batch_size: int | None,
    predictor: Predictor | SequencePredictor,
    extent_at: Callable[[int | None], Extent],
) -> tuple[int, RunConfig]:
    """The run's batch size and configuration; run.json is written, or compared where there is one, and may grow."""
    try:
        with start_lock(output), finishing_lock(output):  # the latter, since a run that grows is no longer finished
            size = batch_size or _recorded_batch_size(output / CONFIG_NAME)
            size = size or automatic_batch_size(device_of(predictor))
            return size, start_run(output, {**values, "batch_size": size}, extent_at)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise RefusedInput(
            f"{output}: expected a folder to write the run to, and it cannot be ({error.strerror}). Name another one"
        ) from error


def _is_started(output: Path) -> bool:
    """Whether a folder holds no more than a run that is just beginning, or was killed then."""
    return output.is_dir() and all(
        path.name == "locks" or path.name.startswith(PARTIAL_PREFIX) for path in output.iterdir()
    )


def _recorded_batch_size(path: Path) -> int | None:
    """The batch size of an earlier start; None where there was none. What else is wrong with it `start_run` says."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return int(values["config"]["batch_size"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def writing() -> Iterator[None]:
    """Raise VesselkitError where the run folder cannot be written; what it holds is kept, the same command goes on."""
    try:
        yield
    except OSError as error:
        raise unwritten(error) from error


def _compute(
    batches: Sequence[Sequence[Frame]],
    predictor: Predictor | SequencePredictor,
    output: Path,
    prompts: AskedPrompts,
    thresholding: Thresholding,
    config: RunConfig,
    uncut: Mapping[str, frozenset[str]],
    shard: WorkShard,
    case_ids: Sequence[str],
) -> Settling:
    """Predict and commit what is missing of the batches; one with any case missing is computed whole again.

    Args:
        uncut: as `earlier` of `open_cases`.
        case_ids: of the whole run.
    Returns:
        What was settled meanwhile.
    """
    mark = config.config_sha256
    missing = open_cases(output, mark, [frame for batch in batches for frame in batch], uncut)
    if isinstance(predictor, SequencePredictor):
        missing = whole_sequences(missing, batches, _CHANGES_SEQUENCE)
    tell(missing)
    made_with = making(str(device_of(predictor)))
    if missing:
        tell_making(output, [case_id for case_id in case_ids if case_id not in missing], made_with)
    with finishing_lock(output):
        reopen(output, missing)
    remove_leftovers(output, missing)
    open_batches = [batch for batch in batches if any(frame.case_id in missing for frame in batch)]

    others = () if shard.count == 1 else set(case_ids) - {frame.case_id for batch in batches for frame in batch}
    settling = Settling(output, mark, config.earlier, others)
    write = Commit(output, mark, prompts, thresholding, frozenset(missing), made_with, settling.put)
    total = sum(len(batch) for batch in batches)
    described = "predict" if shard.count == 1 else f"predict {shard}"
    with Bar(described, total, initial=total - len(missing), unit="image") as bar, stopping() as stop, settling:
        if isinstance(predictor, SequencePredictor):
            asked = tuple(prompts.shared.values())
            run_sequences(open_batches, predictor, asked, write, stop=stop, written=bar.update)
        else:
            run_batches(open_batches, predictor, prompts, write, stop=stop, written=bar.update)
    if bar.done < total:
        raise Stopped(
            f"stopped with {bar.done} of {counted(total, 'case')} done; repeat the command to resume ({output})"
        )
    return settling
