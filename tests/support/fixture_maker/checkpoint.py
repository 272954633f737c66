"""The tiny checkpoint and its bases, written in the layouts of the official tools."""

import json
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.logging import HistoryBuffer
from PIL import Image
from transformers import AutoTokenizer

from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.core.atomic import partial_folder
from helpers.dev.demo.tiny_files import CORPUS, DemoCheckpoint, official_tensors, write_base, write_tokenizer_folder
from helpers.dev.demo.untrained_base import FIXTURE, TEMPLATE, build_base, official_config
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from helpers.train.fine_tuning.checkpoint_layout import trained_tensors
from tests.support.fixture_maker.images import TubeImage, draw_image
from tests.support.fixture_maker.training import DICE_WEIGHT, LORA_ALPHA, LORA_RANK, MASK_WEIGHT, Fit, fit

IMAGE_SIZES = ((256, 256), (320, 160), (200, 300), (224, 224))  # width, height: 1, 3, 7 and 1 tiles
_STARTED = "20260101_000000"  # stands for the time of the run, so that the same seed gives the same files
_MMENGINE = "0.10.7"  # the version whose file layout is written
_LARGEST_STATE = 64  # values; larger optimiser states are left out

_CONFIG_TEXT = """\
path = 'pretrained/{base}'
template = '{template}'
special_tokens = {special_tokens!r}
max_iters = {steps}
seed = {seed}
tokenizer = dict(
    padding_side='right',
    pretrained_model_name_or_path=path,
    trust_remote_code=True,
    type='transformers.AutoTokenizer.from_pretrained')
model = dict(
    frozen_sam2_decoder=False,
    grounding_encoder=dict(type='projects.sa2va.models.SAM2TrainRunner'),
    loss_dice=dict(
        loss_weight={dice},
        type='third_parts.mmdet.models.losses.DiceLoss',
        use_sigmoid=True),
    loss_mask=dict(
        loss_weight={mask},
        type='third_parts.mmdet.models.losses.CrossEntropyLoss',
        use_sigmoid=True),
    mllm=dict(
        freeze_llm=True,
        freeze_visual_encoder=True,
        llm_lora=dict(
            bias='none',
            lora_alpha={alpha},
            lora_dropout=0.0,
            modules_to_save={saved},
            r={rank},
            task_type='CAUSAL_LM',
            type='peft.LoraConfig'),
        model_path=path,
        type='{mllm}'),
    pretrained_pth=None,
    special_tokens=special_tokens,
    tokenizer=tokenizer,
    training_bs=1,
    type='projects.sa2va.models.Sa2VAModel')
"""


def build_checkpoint(folder: Path, seed: int = 0) -> DemoCheckpoint:
    """Fit a tiny model and write it, its bases and some pictures to `folder`, which must not exist.

    Raises:
        RefusedInput: where the folder exists, or cannot be written.
    """
    built = DemoCheckpoint(folder)
    with partial_folder(folder) as partial:
        files = DemoCheckpoint(partial)
        files.base.mkdir(parents=True)
        vocabulary = write_tokenizer_folder(files.base, CORPUS)
        with tempfile.TemporaryDirectory() as staging:
            facts = write_tokenizer(files.base, Path(staging), SPECIAL_TOKENS)
            tokenizer = AutoTokenizer.from_pretrained(staging)
        config = official_config(FIXTURE, vocabulary, facts.eos, facts.pad)
        model = build_base(config, FIXTURE.sam2, facts, seed)
        write_base(files, config, official_tensors(model.state_dict()), vocabulary)
        _write_json(files.sam2_sizes, FIXTURE.sam2.to_dict())
        _write_images(files)
        with one_thread():
            result = fit(model, tokenizer, seed)
        write_training(partial / "ckpt", trained_tensors(model, result.adapters), result)
    return built


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: with more, a fit this small waits for its threads on a busy machine, and its sums, and so
    its course, would depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def held_out_images() -> tuple[TubeImage, ...]:
    """The pictures of the folder `images`; the fit sees others."""
    return tuple(draw_image(index, *size) for index, size in enumerate(IMAGE_SIZES, start=1))


def _write_images(files: DemoCheckpoint) -> None:
    images, masks = files.folder / "images", files.folder / "masks"
    images.mkdir()
    masks.mkdir()
    _write_json(files.folder / "dataset.json", {"ids": "public", "layout": "paired"})
    for number, picture in enumerate(held_out_images(), start=1):
        name = f"image_{number:02d}.png"
        Image.fromarray(picture.grey).save(images / name, optimize=True)
        Image.fromarray(picture.mask).save(masks / name, optimize=True)


def write_training(
    folder: Path,
    tensors: Mapping[str, torch.Tensor],
    result: Fit,
    template: str = TEMPLATE,
    saved_modules: tuple[str, ...] = ("embed_tokens", "lm_head"),
    base: str = "internvl_base",
    mllm: str = "projects.sa2va.models.InternVLMLLM",
) -> None:
    """What mmengine leaves behind: the checkpoint, the pointer to it, and the log of the run.

    Args:
        tensors: by stored name.
        saved_modules: what the language model calls those that were trained as a whole.
        base, mllm: what the training config calls the base's folder and the class that holds its model.
    """
    steps = result.log[-1].step
    config = _CONFIG_TEXT.format(
        base=base,
        mllm=mllm,
        template=template,
        saved=list(saved_modules),
        special_tokens=list(SPECIAL_TOKENS),
        steps=steps,
        seed=result.seed,
        dice=DICE_WEIGHT,
        mask=MASK_WEIGHT,
        alpha=int(LORA_ALPHA),
        rank=LORA_RANK,
    )
    lines = [
        {"lr": line.rate, **line.losses, "iter": line.step, "step": line.step} for line in result.log
    ]  # in mmengine's order
    log = folder / _STARTED / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    name = f"iter_{steps}.pth"
    (folder / "last_checkpoint").write_text(f"work_dirs/demo/{name}", encoding="utf-8")
    history = OrderedDict(
        (f"train/{key}", HistoryBuffer([line[key] for line in lines], [1] * len(lines)))
        for key in ("lr", *result.log[-1].losses)
    )
    torch.save(
        {
            "meta": {
                "epoch": 0,
                "iter": steps,
                "cfg": config,
                "seed": result.seed,
                "experiment_name": f"demo_{_STARTED}",
                "time": _STARTED,
                "mmengine_version": _MMENGINE,
                "dataset_meta": {},
            },
            "state_dict": OrderedDict((name, tensor.detach().clone()) for name, tensor in tensors.items()),
            "message_hub": {
                "log_scalars": history,
                "runtime_info": OrderedDict(iter=steps - 1, max_iters=steps),
                "resumed_keys": OrderedDict.fromkeys([*history, "iter", "max_iters"], True),
            },
            "optimizer": _small_state(result.optimizer),
        },
        folder / name,
    )


def _small_state(optimizer: dict) -> dict:
    """The optimiser's state of small tensors only: enough to look like one, too little to go on from."""
    small = {
        index: values for index, values in optimizer["state"].items() if values["exp_avg"].numel() <= _LARGEST_STATE
    }
    return {"state": small, "param_groups": optimizer["param_groups"]}


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
