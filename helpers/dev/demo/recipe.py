"""How the demo model is trained: synthetic patients, a base from nothing, then a partial checkpoint as users have."""

import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.checkpoints.read.unpickle import load_torch_file
from helpers.checkpoints.read.weight_source import open_source
from helpers.core.atomic import write_json_atomic
from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.core.paths import project_root, shipped
from helpers.core.vocabulary import Launcher, SynthGenerator, SynthLayout
from helpers.dev.demo.tiny_files import CORPUS, DemoCheckpoint, official_tensors, write_base, write_tokenizer_folder
from helpers.dev.demo.untrained_base import DEMO, TEMPLATE, build_base, official_config
from helpers.dev.synthesis.data_set_writing import Recipe as DataRecipe
from helpers.dev.synthesis.data_set_writing import write_dataset
from helpers.dev.synthesis.sequence_parameters import Split
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from helpers.train.fine_tuning.fine_tune import run_training
from helpers.train.fine_tuning.samples import PROMPTS, TEXT
from helpers.train.fine_tuning.shape_losses import ShapeLoss
from helpers.train.test_route.config_file import read_config

_log = logging.getLogger(__name__)
_CONFIG = Path("helpers/train/configs/train_sa2va.py")
_SIDE = 512


@dataclass(frozen=True)
class Round:
    """One run of mmengine's Runner.

    Attributes:
        iters: iterations.
        batch_size: frames of an iteration, over all processes.
        rate, last_rate: highest learning rate, to which it rises over `warm_up` iterations; and the one to which it
            falls from there along a cosine.
        data_seed: of the synthetic patients.
        patients: how many; the two thirds of them that train are drawn.
        uncertain: share of the compared points that are the most uncertain ones.
        dice: weight of the Dice loss.
        several: share of samples with several frames, so that requests about sequences are answered too.
        frames: of each sequence; None for the recipe's.
        generator: that draws them.
        mask_side: grid of the truth, pixels.
        shapes: further losses with their weights.
    """

    iters: int
    batch_size: int
    rate: float
    last_rate: float
    warm_up: int
    data_seed: int
    patients: int
    uncertain: float = 0.75
    dice: float = 0.5
    several: float = 0.0
    frames: int | None = None
    generator: SynthGenerator = SynthGenerator.FIRST
    mask_side: int = _SIDE
    shapes: tuple[tuple[ShapeLoss, float], ...] = ()


@dataclass(frozen=True)
class TrainingRecipe:
    """All that decides the demo model.

    Attributes:
        seed: of weights, of the order of samples and of their changes; the patients are the same for every seed.
        sequences, frames: of each patient, and of each sequence.
        base: rounds that train all weights, each from what the one before left.
        lora: the round that fine-tunes, as users do.
        rank: of the adapters; alpha is twice that.
    """

    seed: int = 0
    sequences: int = 2
    frames: int = 4
    base: tuple[Round, ...] = (
        Round(2977, 112, 1e-3, 1e-5, 150, 1000, 1440, uncertain=0.0, dice=2.0),
        Round(4653, 56, 7e-4, 7e-6, 100, 2000, 960, uncertain=0.0, dice=2.0),
    )
    lora: Round = Round(200, 64, 3e-4, 3e-6, 20, 1002, 96, uncertain=0.0, dice=2.0, several=0.3, frames=8)
    rank: int = 8


def train_demo(
    folder: Path,
    recipe: TrainingRecipe,
    workers: int = 4,
    processes: int = 1,
    start: DemoCheckpoint | None = None,
) -> DemoCheckpoint:
    """Train the demo model in a folder; called again after a stop, it goes on where it was.

    Args:
        workers: processes that draw frames, and that load them for each training process.
        processes: that train the base together, one on each GPU; the LoRA round takes one.
        start: a finished demo model whose weights, LoRA merged, the first round goes on from; None for random ones.
    Raises:
        UsageProblem: where a round's batch cannot be shared evenly.
        VesselkitError: where one of several processes failed.
    Returns:
        The finished files, in `folder / "demo"`.
    """
    uneven = [one.batch_size for one in recipe.base if one.batch_size % processes]
    if uneven:
        raise UsageProblem(f"processes: expected one that divides the batch of {uneven[0]} frames, got {processes}")
    folder.mkdir(parents=True, exist_ok=True)
    bases = DemoCheckpoint(folder / "start")
    if not bases.sam2.is_file():
        if start is None:
            _write_start(bases, recipe.seed)
        else:
            _copy_start(bases, start)
    last = None if start is None else bases.folder / "model"
    for number, one in enumerate(recipe.base, start=1):
        data = _data(folder, recipe, one, workers)
        last = _stage(folder / f"base_{number}", bases, data, recipe, one, workers, previous=last, processes=processes)
    if last is None or not recipe.base:
        raise UsageProblem("recipe: expected at least one round of the base, got none")
    files = DemoCheckpoint(folder / "demo")
    if not files.sam2.is_file():
        _write_trained_base(files, bases, last)
    data = _data(folder, recipe, recipe.lora, workers)
    last = _stage(folder / "lora", files, data, recipe, recipe.lora, workers, lora=True)
    _publish(files, last, folder, recipe)
    return files


def _data(folder: Path, recipe: TrainingRecipe, one: Round, workers: int) -> Path:
    """The synthetic data set of a round, drawn where it is missing."""
    second = "" if one.generator is SynthGenerator.FIRST else f"_{one.generator}"
    data = folder / f"data_{one.data_seed}{second}"
    if not (data / "synthesis.json").is_file():
        frames = one.frames or recipe.frames
        drawn = DataRecipe(one.patients, recipe.sequences, frames, one.data_seed, _SIDE, (Split.TRAIN,), one.generator)
        write_dataset(drawn, SynthLayout.PAIRED, data, processes=workers)
    return data


def _write_start(files: DemoCheckpoint, seed: int) -> None:
    """A base with random weights."""
    shutil.rmtree(files.folder, ignore_errors=True)
    files.base.mkdir(parents=True)
    vocabulary = write_tokenizer_folder(files.base, (*CORPUS, *(one.replace("{text}", TEXT) for one in PROMPTS)))
    with tempfile.TemporaryDirectory() as staging:
        facts = write_tokenizer(files.base, Path(staging), SPECIAL_TOKENS)
    if facts.eos is None or facts.pad is None:
        raise RefusedInput(f"{files.base}: expected a tokenizer with ids that end and fill a text, found none")
    config = official_config(DEMO, vocabulary, facts.eos, facts.pad)
    model = build_base(config, DEMO.sam2, facts, seed, branch_gain=0.2)
    write_base(files, config, official_tensors(model.state_dict()), vocabulary)
    write_json_atomic(files.sam2_sizes, DEMO.sam2.to_dict())


def _copy_start(files: DemoCheckpoint, start: DemoCheckpoint) -> None:
    """The bases of a finished demo model, and the model itself as an export, in `model` beside them."""
    shutil.rmtree(files.folder, ignore_errors=True)
    sizes = str(start.sam2_sizes)
    convert(ConversionRequest(start.checkpoint, files.folder / "model", start.base, start.sam2, sam2_config=sizes))
    shutil.copytree(start.base, files.base)
    shutil.copyfile(start.sam2_sizes, files.sam2_sizes)
    shutil.copyfile(start.sam2, files.sam2)  # last: it says that all is there


def _stage(
    folder: Path,
    bases: DemoCheckpoint,
    data: Path,
    recipe: TrainingRecipe,
    one: Round,
    workers: int,
    *,
    previous: Path | None = None,
    lora: bool = False,
    processes: int = 1,
) -> Path:
    """Train one round to its end, from the checkpoint of a previous one if any. Returns its last checkpoint."""
    done = folder / f"iter_{one.iters}.pth"
    if done.is_file():
        return done
    options = {
        "model.mllm.model_path": str(bases.base),
        "model.mllm.llm_lora": {"r": recipe.rank, "lora_alpha": 2 * recipe.rank, "lora_dropout": 0.0},
        "model.grounding_encoder.ckpt_path": str(bases.sam2),
        "model.grounding_encoder.cfg_path": str(bases.sam2_sizes),
        "model.template": TEMPLATE,
        "model.pretrained_pth": previous and str(previous),
        "model.trained": "lora" if lora else "all",
        "model.compiled": torch.cuda.is_available() and not lora,
        "model.loss_dice": {"loss_weight": one.dice},
        "model.loss_iou": {"loss_weight": 1.0},
        **{f"model.{name}": {"loss_weight": weight} for name, weight in one.shapes},
        "model.uncertain": one.uncertain,
        "model.seed": recipe.seed + lora,
        "train_dataloader.dataset.data": str(data),
        "train_dataloader.dataset.split": Split.TRAIN.value,
        "train_dataloader.dataset.mask_side": one.mask_side,
        "train_dataloader.dataset.sam2_size": DEMO.sam2.image_size,
        "train_dataloader.dataset.several": one.several,
        "train_dataloader.dataset.seed": recipe.seed + lora,
        "train_dataloader.batch_size": one.batch_size // processes,
        "train_dataloader.num_workers": workers,
        "train_cfg.max_iters": one.iters,
        "optim_wrapper.optimizer.lr": one.rate,
        "optim_wrapper.optimizer.betas": (0.9, 0.98),
        "optim_wrapper.optimizer.fused": torch.cuda.is_available(),
        "param_scheduler.0.end": one.warm_up,
        "param_scheduler.1.begin": one.warm_up,
        "param_scheduler.1.end": one.iters,
        "param_scheduler.1.eta_min": one.last_rate,
        "default_hooks.checkpoint.interval": one.iters,
        "randomness.seed": recipe.seed + lora,
    }
    started = time.monotonic()
    if processes == 1:
        run_training(shipped(_CONFIG), work_dir=folder, resume=True, options=options)
    else:
        _train_together(folder, options, processes)
    _log.info("%s: %.0f s", folder.name, time.monotonic() - started)
    return done


def _train_together(folder: Path, options: dict[str, Any], processes: int) -> None:
    """One run by several processes, each of its own, since a process leaves a group only at its end."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.py"
    read_config(shipped(_CONFIG), str(_CONFIG), folder, Launcher.PYTORCH, options).dump(config)
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m")
    train = ("helpers.train.fine_tuning.fine_tune", str(config), "--launcher", Launcher.PYTORCH.value, "--resume")
    code = subprocess.run([sys.executable, *launch, *train], cwd=project_root(), check=False).returncode
    if code:
        raise VesselkitError(f"{folder.name}: one of {processes} processes ended with code {code}. See what is above")


def _write_trained_base(files: DemoCheckpoint, start: DemoCheckpoint, checkpoint: Path) -> None:
    """The InternVL folder and the SAM2 file with the weights of a round's checkpoint."""
    shutil.rmtree(files.folder, ignore_errors=True)
    shutil.copytree(start.base, files.base, ignore=shutil.ignore_patterns("*.safetensors"))
    shutil.copyfile(start.sam2_sizes, files.sam2_sizes)
    with open_source(checkpoint) as source:
        official = {name.removeprefix("mllm.model."): source.read(name).clone() for name in source.tensors}
    config = json.loads((start.base / "config.json").read_text(encoding="utf-8"))
    write_base(files, config, official, config["llm_config"]["vocab_size"])


def _publish(files: DemoCheckpoint, checkpoint: Path, folder: Path, recipe: TrainingRecipe) -> None:
    """The partial checkpoint in bfloat16, without optimiser and history; its log; and the recipe."""
    content: dict[Any, Any] = load_torch_file(checkpoint)
    target = files.folder / "ckpt"
    target.mkdir(exist_ok=True)
    state = OrderedDict((name, tensor.bfloat16().clone()) for name, tensor in content["state_dict"].items())
    meta = dict(content["meta"])
    config = Config.fromstring(meta["cfg"], file_format=".py")
    for name in ("work_dir", "log_level"):
        config.pop(name, None)
    meta["cfg"] = config.pretty_text.replace(f"{folder}/", "")
    torch.save({"meta": meta, "state_dict": state}, target / checkpoint.name)
    record = {
        "recipe": asdict(recipe),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "last_losses": {name: _last_losses(folder / name) for name in (*_base_names(recipe), "lora")},
    }
    write_json_atomic(files.folder / "training.json", record)


def _base_names(recipe: TrainingRecipe) -> list[str]:
    return [f"base_{number}" for number in range(1, len(recipe.base) + 1)]


def _last_losses(folder: Path) -> dict[str, float] | None:
    """The last line that a round logged; None where it is too short for one."""
    logs = sorted(folder.glob("*/vis_data/scalars.json"))
    lines = logs[-1].read_text(encoding="utf-8").splitlines() if logs else []
    return json.loads(lines[-1]) if lines else None
