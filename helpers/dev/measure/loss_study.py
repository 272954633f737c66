"""What each change of the training does to vessels that break, and to occlusions: one evening, one table.

    python -m helpers.dev.measure.loss_study FOLDER

Trains each change alone, from one starting model, with equal small budgets and two seeds, and scores it on development
patients: Dice, clDice, NSD, Betti-0 error, and the shares of true gaps bridged and of true narrowings widened, or lost
where the mask breaks off. All changes are compared with a training as long without one, patient by patient.

As it is, it takes the demo model and patients of the second synthetic generator. For your own: `--data`, with
`--train` and `--dev` as names of its parts, and `--start`, `--base`, `--sam2` and `--sam2-config` as for `vesselkit
convert`. Gaps and narrowings are measured on synthetic frames in any case: no annotation says where they are.

Called again after a stop, it goes on where it was. Several calls may share a folder, each with changes of its own, once
`--step draw` is done.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.core.atomic import write_json_atomic, write_text_atomic
from helpers.core.errors import UsageProblem, exit_as_interrupted
from helpers.core.paths import shipped
from helpers.core.processes import parallel_map
from helpers.core.vocabulary import SynthGenerator, SynthLayout
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.frames.frame_source import read_frame
from helpers.data.opening import Opening
from helpers.dev.demo.tiny_files import DemoCheckpoint
from helpers.dev.measure.loss_table import CONTROL, SCORES, START, report, scores_file, stored_scores
from helpers.dev.synthesis.data_set_writing import Recipe, write_dataset
from helpers.dev.synthesis.lesion import LesionKind
from helpers.dev.synthesis.sequence_parameters import Split
from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.metrics.lesions import NarrowingSeen, gap_bridged, narrowing_seen
from helpers.runs.run_folder import Run, open_run
from helpers.stages.convert_stage import convert
from helpers.stages.predict_stage import predict
from helpers.train.fine_tuning.fine_tune import run_training
from helpers.train.fine_tuning.measuring_frames import require_not_measuring
from helpers.train.test_route.config_file import exit_codes, typed_values

CONFIG = Path("helpers/train/configs/train_sa2va.py")
DEMO = DemoCheckpoint(shipped(Path("helpers/dev/demo/files/model")))
PROMPT = "p1"


class Change(StrEnum):
    """What is tried, each alone."""

    CONTROL = CONTROL
    MASK_512 = "mask-512"
    MASK_1024 = "mask-1024"
    CENTRELINE = "centreline"
    CLDICE = "cldice"
    BOUNDARY = "boundary"


OPTIONS: Mapping[Change, Mapping[str, Any]] = {
    Change.CONTROL: {},
    Change.MASK_512: {"train_dataloader.dataset.mask_side": 512},
    Change.MASK_1024: {"train_dataloader.dataset.mask_side": 1024},
    Change.CENTRELINE: {"model.loss_centreline": {"loss_weight": 1.0}},
    Change.CLDICE: {"model.loss_cldice": {"loss_weight": 0.5}},
    Change.BOUNDARY: {"model.loss_boundary": {"loss_weight": 1.0}},
}
"""Options of the training config."""


@dataclass(frozen=True)
class Drawn:
    """Synthetic patients of the study: seeds that no recipe of the demo model draws from.

    Attributes:
        train, dev: what is drawn; a sixth of the patients of the second is.
    """

    train: Recipe
    dev: Recipe

    @classmethod
    def of(cls, patients: int, dev_patients: int, side: int) -> "Drawn":
        """So many patients to train on and to score on."""
        second = SynthGenerator.SECOND
        return cls(
            Recipe(patients + patients // 2, 2, 4, 7000, side, (Split.TRAIN,), second),
            Recipe(6 * dev_patients, 4, 4, 7001, side, (Split.DEV,), second),
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the steps that are asked for, and print the table of what is there."""
    given = parsed(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    keep_plan(given)
    if given.data:  # before any work
        opened = _own(given).open_to_score()
        opened.require_unsealed("the choice of a loss")
        require_not_measuring(opened.frames)
    if given.step in ("all", "draw"):
        _draw(given)
    if given.step in ("all", "train"):
        if Change.CONTROL in given.changes:  # of several calls in one folder, one has it
            _score(given, START, None)
        for seed in given.seeds:
            for change in given.changes:
                _score(given, f"{change}-{seed}", _trained(given, change, seed))
    if given.step in ("all", "train", "table"):
        print(report(stored_scores(given.folder), given.iterations, given.batch))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--step", choices=("all", "draw", "train", "table"), default="all")
    parser.add_argument("--changes", nargs="+", type=Change, choices=list(Change), default=list(Change))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--iterations", type=int, default=300, help="of each training")
    parser.add_argument("--batch", type=int, default=16, help="frames of an iteration")
    parser.add_argument("--rate", type=float, default=2e-4, help="highest learning rate")
    parser.add_argument("--mask-side", type=int, default=256, help="grid of the truth where no change sets it")
    parser.add_argument("--data", type=Path, help="your data set; else synthetic patients")
    parser.add_argument("--train", default="train", help="its part to train on")
    parser.add_argument("--dev", default="val", help="its part to score on; never the test part")
    parser.add_argument("--group-by", help="its rule of patients, as for vesselkit data check")
    parser.add_argument("--start", type=Path, help="checkpoint or folder of a Sa2VA to start from; else the demo model")
    parser.add_argument("--base", type=Path, help="as for vesselkit convert, with --start")
    parser.add_argument("--sam2", type=Path, help="as for vesselkit convert, with --start")
    parser.add_argument("--sam2-config", help="as for vesselkit convert, with --start")
    parser.add_argument("--rank", type=int, default=8, help="of LoRA")
    parser.add_argument("--patients", type=int, default=96, help="synthetic ones to train on")
    parser.add_argument("--dev-patients", type=int, default=12, help="synthetic ones to score on")
    parser.add_argument("--side", type=int, default=512, help="of synthetic frames, pixels")
    parser.add_argument("--device", default="auto", help="that predicts")
    parser.add_argument("--processes", type=int, default=2, help="that draw, load and score")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="further ones of all trainings"
    )
    return parser


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, with the demo model's files where no starting model is given.

    Raises:
        UsageProblem: where a starting model lacks its base or SAM2 file, or these lack a starting model.
    """
    given = _parser().parse_args(arguments)
    parts = {"base": DEMO.base, "sam2": DEMO.sam2, "sam2_config": str(DEMO.sam2_sizes)}
    for name, of_demo in parts.items():
        if (getattr(given, name) is None) != (given.start is None):
            raise UsageProblem(
                f"--{name.replace('_', '-')}: expected it with --start and not without, got "
                f"{getattr(given, name) or 'nothing'}. Give --start, --base, --sam2 and --sam2-config, or none of them"
            )
        if given.start is None:
            setattr(given, name, of_demo)
    return given


_MAY_CHANGE = ("folder", "step", "changes", "seeds", "device", "processes")


def keep_plan(given: argparse.Namespace) -> None:
    """Keep what all trainings of a folder share in its `study.json`.

    Raises:
        UsageProblem: where an earlier call had other values: its scores would not be comparable.
    """
    of_demo = ("base", "sam2", "sam2_config") if given.start is None else ()  # wherever the kit lies
    plan = {name: str(value) for name, value in vars(given).items() if name not in (*_MAY_CHANGE, *of_demo)}
    file = given.folder / "study.json"
    if not file.is_file():
        write_json_atomic(file, plan)
    kept = json.loads(file.read_text(encoding="utf-8"))
    others = [name for name in sorted({*kept, *plan}) if kept.get(name) != plan.get(name)]
    if others:
        name = others[0]
        raise UsageProblem(
            f"--{name.replace('_', '-')}: expected {kept.get(name)}, with which {given.folder} was begun, got "
            f"{plan.get(name)}. Give that, or another folder"
        )


def _draw(given: argparse.Namespace) -> None:
    """The synthetic patients and the starting model, where they are missing."""
    drawn = Drawn.of(given.patients, given.dev_patients, given.side)
    wanted = {"dev": drawn.dev} if given.data else {"dev": drawn.dev, "train": drawn.train}
    for name, recipe in wanted.items():
        if not (given.folder / name).is_dir():
            write_dataset(recipe, SynthLayout.PAIRED, given.folder / name, processes=given.processes)
    source = DEMO.checkpoint if given.start is None else given.start
    if not source.is_dir() and not (given.folder / START).is_dir():
        convert(source, given.folder / START, base=given.base, sam2=given.sam2, sam2_config=given.sam2_config)


def _start(given: argparse.Namespace) -> Path:
    return given.start if given.start is not None and given.start.is_dir() else given.folder / START


# Training.


def _trained(given: argparse.Namespace, change: Change, seed: int) -> Path:
    """The checkpoint of one training; where its scores are there, it is not wanted any more."""
    folder = given.folder / "trainings" / f"{change}-{seed}"
    last = folder / f"iter_{given.iterations}.pth"
    if not last.is_file() and not scores_file(given.folder, folder.name).is_file():
        options = training_options(given, change, seed)
        run_training(shipped(CONFIG), work_dir=folder, resume=True, options=options)
    return last


def training_options(given: argparse.Namespace, change: Change, seed: int) -> dict[str, Any]:
    """Options of the training config, by dotted name: equal for all changes but for the change's own."""
    warm_up = max(given.iterations // 10, 1)
    return {
        "model.mllm.model_path": str(given.base),
        "model.mllm.llm_lora": {"r": given.rank, "lora_alpha": 2 * given.rank, "lora_dropout": 0.0},
        "model.grounding_encoder.ckpt_path": str(given.sam2),
        "model.grounding_encoder.cfg_path": given.sam2_config,
        "model.pretrained_pth": str(_start(given)),
        "model.seed": seed,
        "train_dataloader.dataset.data": str(given.data or given.folder / "train"),
        "train_dataloader.dataset.split": given.train if given.data else Split.TRAIN.value,
        "train_dataloader.dataset.group_by": given.group_by,
        "train_dataloader.dataset.mask_side": given.mask_side,
        "train_dataloader.dataset.seed": seed,
        "train_dataloader.batch_size": given.batch,
        "train_dataloader.num_workers": given.processes,
        "train_cfg.max_iters": given.iterations,
        "optim_wrapper.optimizer.lr": given.rate,
        "param_scheduler.0.end": warm_up,
        "param_scheduler.1.begin": warm_up,
        "param_scheduler.1.end": given.iterations,
        "param_scheduler.1.eta_min": given.rate / 100,
        "default_hooks.checkpoint.interval": given.iterations,
        "randomness.seed": seed,
        **OPTIONS[change],
        **typed_values(given.cfg_options),
    }


# Scoring.


def _own(given: argparse.Namespace) -> Opening:
    """The part of a user's data set that is scored on."""
    return Opening(given.data, group_by=given.group_by, split=given.dev)


def _score(given: argparse.Namespace, name: str, checkpoint: Path | None) -> None:
    """Predict the development patients with a model and keep the scores of each case; None: the starting model."""
    file = scores_file(given.folder, name)
    if file.is_file():
        return
    model: dict[str, Any] = {"model": _start(given)}
    if checkpoint is not None:
        parts = {"base": given.base, "sam2": given.sam2, "sam2_config": given.sam2_config, "pretrained": _start(given)}
        model = {"model": None, "checkpoint": checkpoint, **parts}
    sets = {"drawn": Opening(given.folder / "dev", split=Split.DEV.value)}
    if given.data:
        sets["own"] = _own(given)
    tables = []
    for set_name, opening in sets.items():
        output = given.folder / "runs" / f"{name}-{set_name}"
        rules: dict[str, Any] = {"split": opening.split, "group_by": opening.group_by}
        run = predict(data=opening.data, output=output, device=given.device, **model, **rules)
        opened = opening.open_to_score()
        found = pd.DataFrame(case_scores(run or open_run(output), opened, given.processes))
        tables.append(found.assign(set=set_name))
    file.parent.mkdir(exist_ok=True)
    write_text_atomic(file, pd.concat(tables).to_csv(index=False))
    for kept in [] if checkpoint is None else checkpoint.parent.glob("iter_*.pth"):
        kept.unlink()


def case_scores(run: Run, dataset: Dataset, processes: int) -> list[dict[str, Any]]:
    """A row for each case with a ground truth: its patient, scores, and lesions where `synthesis.json` names them."""
    record = dataset.root / "synthesis.json"
    lesions = json.loads(record.read_text(encoding="utf-8"))["lesions"] if record.is_file() else {}
    cases = (
        (case, run.mask(case.case_id, PROMPT), lesions.get(case.case_id, []))
        for case in dataset.cases
        if case.truth is not None
    )
    return list(parallel_map(_case_row, cases, processes, chunk=4))


def _case_row(given: tuple[Case, np.ndarray | None, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    case, mask, lesions = given
    width, height = read_frame(case.frame.path, case.frame.index, case.frame.bits).size
    nothing = np.zeros((height, width), bool)
    truth = nothing if case.truth is None else case.truth.mask(width, height)
    found = score_case(CaseArrays(case.case_id, truth, mask)).values
    return {
        "case_id": case.case_id,
        "patient": case.frame.patient or case.case_id,
        **{name: found[name] for name in SCORES},
        **lesion_counts(truth, nothing if mask is None else mask, lesions),
    }


def lesion_counts(truth: np.ndarray, mask: np.ndarray, lesions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many true gaps and narrowings of a frame can be told, and how many a mask bridges, widens and loses.

    Args:
        truth, mask: bool (H, W).
        lesions: as `synthesis.json` holds them.
    """
    seen = [one for one in lesions if one["filled"]]
    gaps = [
        gap_bridged(truth, mask, np.array(one["course"]), one["reference_px"])
        for one in seen
        if one["kind"] == LesionKind.TOTAL
    ]
    narrow = [
        narrowing_seen(truth, mask, tuple(one["place"]), tuple(one["across"]), one["calibre_px"], one["reference_px"])
        for one in seen
        if one["kind"] != LesionKind.TOTAL
    ]
    return {
        "gaps": sum(one is not None for one in gaps),
        "bridged": sum(one is True for one in gaps),
        "narrowings": sum(one is not None for one in narrow),
        "widened": narrow.count(NarrowingSeen.WIDENED),
        "lost": narrow.count(NarrowingSeen.LOST),
    }


if __name__ == "__main__":
    with exit_codes(), exit_as_interrupted():
        main()
