"""A model and a data set become a run folder.

It lies above `prediction`, which may not reach a data set: this opens it, and hands over frames. It lies above
`evaluation` too, whose `leakage` keeps what a composed checkpoint says of its training images.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from helpers.checkpoints.convert.conversion_record import check_of
from helpers.core.errors import UsageProblem, VesselkitError
from helpers.core.given_values import Spelling, known_word, optional_input_path, output_folder
from helpers.core.vocabulary import Combine, Ensemble, Launcher, Mode, Quantization
from helpers.data.cases import listed
from helpers.data.dataset import Dataset
from helpers.data.opening import Opening, opening_of
from helpers.evaluation.leakage.conversion_names import keep_training_names
from helpers.prediction.engine.composition import NOTHING
from helpers.prediction.ensemble import check_ensemble, parse_ensemble, tell_cost
from helpers.prediction.model_choice import BASELINE, AnyPredictor, Composition, ModelChoice
from helpers.prediction.predictor import DEFAULT_PROMPT
from helpers.prediction.run import check_asking, check_output, check_parameters
from helpers.prediction.run import predict as predict_frames
from helpers.prediction.run_summary import RunSummary
from helpers.prediction.sa2va_predictor import TOKEN_LIMIT
from helpers.prediction.sequences.sequence_answers import first_frames, own_limit, sequences_of
from helpers.prediction.work_shards import WHOLE, Process, WorkShard, launched, parse_shard
from helpers.runs.run_folder import Run, open_run

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PredictRequest:
    """What a run is asked for.

    Attributes:
        opening: how the data set is opened.
        output: run folder, new or one that was stopped.
        choice: which model predicts, and how.
        prompts: the user's words, each asked of every frame.
        threshold: probability above which a pixel is in the mask, between 0 and 1.
        combine: how the maps of several `[SEG]` become one mask.
        batch_size: frames predicted together; None for what suits the device.
        limit: only the first cases; None for all.
        case_list: text file of the case ids to predict, one a line; None for all.
        shard: this call's share of the batches; None for the process's, else the whole.
        process: this process among those of a launcher; None where it is on its own.
        ensemble: what each frame is predicted again under, to see how far the answers differ; () for nothing.
        spell: how the caller writes the name of a parameter, for messages.
    """

    opening: Opening
    output: Path
    choice: ModelChoice
    prompts: tuple[str, ...] = (DEFAULT_PROMPT,)
    threshold: float = 0.5
    combine: Combine = Combine.UNION
    batch_size: int | None = None
    limit: int | None = None
    case_list: Path | None = None
    shard: WorkShard | None = None
    process: Process | None = None
    ensemble: tuple[Ensemble, ...] = ()
    spell: Spelling = field(default=str, repr=False)

    def check(self) -> "ReadyRequest":
        """Check all that can be checked before the data set is opened and the model is loaded.

        Raises:
            UsageProblem: for parameters that cannot work, and paths that lead nowhere.
            RefusedInput: for a folder that holds something else than a run, or a model folder that is refused.
        """
        spell, choice = self.spell, self.choice
        choice.check(spell)
        if choice.mode is not Mode.FRAME and self.batch_size is not None:
            raise UsageProblem(
                f"{spell('mode')} {choice.mode}: follows sequences with a Sa2VA model, frame by frame. Leave "
                f"{spell('batch_size')} out"
            )
        if choice.is_baseline and len(self.prompts) > 1:
            raise UsageProblem(
                f"{spell('prompt')}: {spell('model')} {BASELINE} understands no prompt, got {len(self.prompts)}. Leave "
                "them out"
            )
        if self.ensemble and (choice.is_baseline or choice.mode is not Mode.FRAME):
            name, given = ("model", BASELINE) if choice.is_baseline else ("mode", choice.mode)
            raise UsageProblem(
                f"{spell('ensemble')}: asks a Sa2VA model about each frame by itself, got {spell(name)} {given}. Leave "
                "one of them out"
            )
        check_ensemble(self.ensemble, self.prompts, spell)
        if self.process is not None and self.shard is not None:
            raise UsageProblem(f"{spell('shard')}: the launcher's processes are shards already. Leave it out")
        if self.process is not None:
            choice = replace(choice, device=self.process.device(choice.device))
        check_parameters(self.prompts, self.threshold, self.batch_size, self.limit)
        folder = output_folder(self.output, spell("output"), self.opening.data)
        check_output(folder)
        case_list = optional_input_path(self.case_list, spell("case_list"))
        choice = choice.found(spell)
        opened = choice.open(spell)
        checked = replace(self, output=folder, choice=choice, case_list=case_list)
        return ReadyRequest(checked, opened.identity, opened.load)

    def run(self) -> "Predicted":
        """Predict the data set, going on where an earlier call of the same request was stopped.

        Raises:
            UsageProblem, RefusedInput: as `check`; also for a data set that is refused.
            VesselkitError: where results cannot be written; what was computed before is kept.
        """
        ready = self.check()
        dataset = self.opening.open()
        return Predicted(ready.predict(dataset), dataset)

    @property
    def share(self) -> WorkShard:
        """This call's share of the batches."""
        if self.shard is not None:
            return self.shard
        return WHOLE if self.process is None else self.process.shard


@dataclass(frozen=True)
class ReadyRequest:
    """A request that was checked.

    Attributes:
        request: with absolute paths, and the device of this process.
        identity: as that of `OpenedChoice`.
    """

    request: PredictRequest
    identity: Mapping[str, Any] | None
    _load: Callable[[], AnyPredictor] = field(repr=False)

    def load(self) -> AnyPredictor:
        """The predictor. Of a composed one the names of its training images are kept, see `conversion_names`."""
        predictor, choice = self._load(), self.request.choice
        if choice.checkpoint is not None:
            config = choice.composition.train_config
            kept = keep_training_names(choice.checkpoint, config, predictor.identity["tensors_sha256"])
            _log.info("%s", kept.text)
        return predictor

    def predict(self, dataset: Dataset) -> RunSummary:
        """Predict the frames of a data set, going on where an earlier call of this request was stopped.

        The model gets frames alone; the ground truth stays in `dataset`. The model is loaded once all else was checked.
        Raises as `helpers.prediction.run.predict`.
        """
        request, mode = self.request, self.request.choice.mode
        frames, limit, size = dataset.frames, request.limit, request.batch_size
        if request.case_list is None:
            limit = own_limit(frames, limit)
        else:
            frames = listed(frames, request.case_list)
            limit = min(limit or len(frames), len(frames))  # so that evaluation takes the other cases for left out
        if mode is not Mode.FRAME:
            sequences_of(first_frames(frames, limit, mode))  # refuses before the model is loaded
            size = 1
        settings: dict[str, Any] = {
            "threshold": request.threshold,
            "combine": request.combine,
            "limit": limit,
            "dataset": dataset.identity,
            "ensemble": request.ensemble,
        }
        output, prompts = request.output, request.prompts
        check_asking(output, frames, prompts, model=self.identity, batch_size=size, mode=mode, **settings)
        settings |= {"official_check": self._official_check()}
        tell_cost(request.ensemble, len(first_frames(frames, limit, mode)))
        return predict_frames(frames, self.load(), output, prompts, batch_size=size, shard=request.share, **settings)

    def _official_check(self) -> Mapping[str, Any] | None:
        """What `verify --receipt` found of a model folder; None where it found nothing, and for other predictors."""
        choice = self.request.choice
        if choice.model is None or choice.is_baseline or self.identity is None:
            return None
        return check_of(Path(choice.model), self.identity)


@dataclass(frozen=True)
class Predicted:
    """A request that was carried out: where the run stands, and the data set that it is of."""

    summary: RunSummary
    dataset: Dataset = field(repr=False)

    def finished_run(self) -> Run | None:
        """The run, opened; None where other shards of it are missing.

        Raises:
            VesselkitError: where every case of the run, or of the shard, ended in an error.
        """
        if self.summary.failure is not None:
            raise VesselkitError(self.summary.to_text())
        return open_run(self.summary.folder) if self.summary.complete else None


def predict(
    model: str | os.PathLike[str] | None,
    data: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    base: str | os.PathLike[str] | None = None,
    sam2: str | os.PathLike[str] | None = None,
    sam2_config: str | None = None,
    train_config: str | os.PathLike[str] | None = None,
    lora_alpha: float | None = None,
    template: str | None = None,
    pretrained: str | os.PathLike[str] | None = None,
    model_config: str | os.PathLike[str] | None = None,
    prompts: str | Sequence[str] = (DEFAULT_PROMPT,),
    mode: str = "frame",
    batch_size: int | None = None,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    cuda_graphs: bool = False,
    threshold: float = 0.5,
    combine: str = "union",
    limit: int | None = None,
    case_list: str | os.PathLike[str] | None = None,
    shard: str | None = None,
    launcher: str = "none",
    max_new_tokens: int = TOKEN_LIMIT,
    ensemble: str | None = None,
    **rules: Any,
) -> Run | None:
    """Predict every frame of a data set into a run folder, as `vesselkit predict` does.

    A run that was stopped goes on where it was. A frame that fails gets a row with its status and no mask; the run goes
    on. The model never sees ground truth.

    Args:
        model: folder that `convert` wrote, or `frangi` for the classical baseline; None where a checkpoint is given.
        data: data set: a folder, an annotation file, one image, DICOM or video.
        output: run folder, outside the data set.
        checkpoint: to compose a model from, in memory, in place of `model`.
        base, sam2, sam2_config, train_config, lora_alpha, template, pretrained: what it is composed with, see
            `convert`.
        model_config: settings of `frangi`, as `vesselkit tune` wrote them.
        prompts: the user's words, one text or several, each asked of every frame.
        mode: `frame` (each frame by itself), `track`, `track-both` or `fused`.
        batch_size: frames predicted together; None for what suits the device.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto` (mixed on a GPU, else float32), `mixed`, `bfloat16`, `float16` or `float32`.
        quantize: `int8` or `nf4` holds the language model's weights in 8 or 4 bits.
        cuda_graphs: replay the model's passes on a GPU: sooner, after a slow first batch.
        threshold: probability above which a pixel is in the mask, between 0 and 1.
        combine: `union`, `first` or `best`: how several `[SEG]` become one mask.
        limit: only the first so many cases.
        case_list: text file of the case ids to predict, one a line.
        shard: this call's share of the batches, such as `1/4`.
        launcher: `none`, `pytorch` or `slurm`: what started the processes; torchrun needs no naming.
        max_new_tokens: most tokens of an answer.
        ensemble: `flips`, `prompts` or both with a comma between: predict each frame mirrored too, compare the
            answers to the prompts, and keep how far they differ. The masks stay as they are.
        **rules: how the data set is opened: layout, ids (`keep` or `pseudonym`), id_key, group_by, split.

    Returns:
        The finished run, opened: its rows, masks bool (H, W) and logits. None where other shards are missing.

    Raises:
        UsageProblem: for parameters that cannot work.
        RefusedInput: for a data set, model or run folder that is refused.
        VesselkitError: where every frame ended in an error, or results cannot be written.

    Example:
        >>> import vesselkit
        >>> run = vesselkit.predict("my-model", "frames", "my-run", device="cpu", limit=1)
        >>> [str(row.status) for row in run.rows]
        ['ok']
        >>> run.mask(run.cases()[0], "p1").shape
        (64, 64)
    """
    choice = ModelChoice(
        model if model is None or model == BASELINE else Path(model),
        _path(checkpoint),
        Composition(
            _path(base),
            _path(sam2),
            sam2_config,
            _path(train_config),
            lora_alpha,
            template,
            pretrained if pretrained is None or pretrained == NOTHING else Path(pretrained),
        ),
        _path(model_config),
        device,
        dtype,
        None if quantize is None else known_word(Quantization, quantize, "quantize"),
        known_word(Mode, mode, "mode"),
        cuda_graphs,
        max_new_tokens,
    )
    choice.check()
    request = PredictRequest(
        opening_of(data, **rules),
        output_folder(output, "output", data),
        choice,
        (prompts,) if isinstance(prompts, str) else tuple(prompts),
        threshold,
        known_word(Combine, combine, "combine"),
        batch_size,
        limit,
        _path(case_list),
        None if shard is None else parse_shard(shard),
        launched(known_word(Launcher, launcher, "launcher")),
        parse_ensemble(ensemble),
    )
    return request.run().finished_run()


def _path(given: str | os.PathLike[str] | None) -> Path | None:
    return None if given is None else Path(given)
