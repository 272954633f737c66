"""The model card: `README.md` of an exported folder, in words that people and model hubs read (docs/export-format.md).

It holds what the record and the checkpoint say, and nothing that is guessed. Its parts stand between two marks each, so
that one is written anew without touching what people wrote around it. The card decides no prediction and belongs to no
fingerprint.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from helpers.checkpoints.convert.conversion_record import ConversionRecord, shown_value
from helpers.checkpoints.convert.families import facts_of
from helpers.checkpoints.read.train_config import TrainingConfig
from helpers.checkpoints.read.training_folder import CheckpointMeta
from helpers.core.card_parts import CARD_NAME, NOT_TOLD, marked, one_line, rewrite_part
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import markdown_table

# Who publishes the bases: a name of theirs in a training config is a hub's, any other may be a folder.
_PUBLISHERS = ("OpenGVLab", "Qwen", "ByteDance")
_HUB_NAME = re.compile(rf"(?:{'|'.join(_PUBLISHERS)})/[\w.-]+")
_SCHEDULE = (
    ("frames of a process and step", ("train_dataloader", "batch_size")),
    ("steps for one update", ("optim_wrapper", "accumulative_counts")),
    ("optimiser", ("optim_wrapper", "optimizer", "type")),
    ("learning rate", ("optim_wrapper", "optimizer", "lr")),
    ("planned iterations", ("train_cfg", "max_iters")),
    ("planned epochs", ("train_cfg", "max_epochs")),
)
_USE = """\
```python
from transformers import AutoModel, AutoTokenizer

model = AutoModel.from_pretrained("FOLDER", trust_remote_code=True, dtype="auto").eval()
tokenizer = AutoTokenizer.from_pretrained("FOLDER", trust_remote_code=True)
result = model.predict_forward("frame.png", "<image>\\nPlease segment the blood vessels.", tokenizer)
```

`result["prediction_masks"]` holds a boolean array (1, H, W) for each `[SEG]` of the answer, `result["prediction"]` the
answer, `result["prediction_logits"]` the logits. `FOLDER` is this folder, or its name on a hub. It needs torch,
transformers (4.57 to 5.x), safetensors, pillow and numpy. Ask in the words that training used."""
_LIMITS = """\
* For research. **Not for clinical use.**
* The model knows frames like those of its training. Of other devices, views, doses and patients nothing is known until
  it is scored on them.
* Scores on patients of the training data say nothing about new patients.
* An answer without `[SEG]` gives no mask. That is an answer, not an error. The model does not say how sure it is.
* Narrow number types change masks slightly; float16 may overflow, which raises an error."""
_NO_SCORES = """\
No scores stand here. `vesselkit evaluate` scores the model on frames with ground truth;
`vesselkit verify FOLDER --publish-check --scores SCORES` writes them here, with the number of cases and patients, the
interval, and whose patients they are."""
_TRAINING_DATA = """\
The checkpoint does not describe it. Write here: number of patients and frames, devices, views, who drew the masks, and
what patients or the ethics committee allowed. `vesselkit data check DATA --output DIR --card` writes a card of a data
set."""
_LICENCE = """\
Not stated here: the licences of the base, of SAM2 and of the training data decide. Name it here, and as `license:` at
the head of this file."""
_NO_CHECK = (
    "Not compared with official Sa2VA code. `vesselkit verify FOLDER --receipt receipt.npz` compares and says it here."
)


class CardPart(StrEnum):
    """What the kit writes into a card; each part stands between two marks."""

    MODEL = "model"
    CHECK = "check"
    SCORES = "scores"


def card_text(
    name: str,
    values: Mapping[str, Any],
    config: Mapping[str, Any],
    meta: CheckpointMeta | None,
    run: TrainingConfig | None,
) -> str:
    """A new card.

    Args:
        name: of the model.
        values: of the conversion record.
        config: the export's parsed config.json.
        meta: of the checkpoint; None where it has none.
        run: the training config; None where there is none.
    """
    return "\n\n".join(
        (
            _header(run),
            f"# {one_line(name)}",
            f"A Sa2VA model ({facts_of(config).title} joined to SAM2) that answers a request with a segmentation mask. "
            "For research, not for clinical use.",
            "## Use",
            _USE,
            "## The model",
            marked(CardPart.MODEL, _facts(values, config, meta, run)),
            "## Training data",
            _TRAINING_DATA,
            "## Scores",
            marked(CardPart.SCORES, _NO_SCORES),
            "## Checked against official code",
            marked(CardPart.CHECK, _NO_CHECK),
            "## Limits",
            _LIMITS,
            "## Licence",
            f"{_LICENCE}\n",
        )
    )


def write_part(folder: Path, part: CardPart, text: str) -> None:
    """Write a part of a folder's card anew.

    Raises:
        RefusedInput: where the folder has no card.
        OSError: where it cannot be written.
    """
    path = folder / CARD_NAME
    if not path.is_file():
        raise RefusedInput(
            f"{path}: expected the model card, found none. Folders of earlier versions have none: convert again"
        )
    rewrite_part(path, part, text)


def fingerprints_in(card: str) -> set[str]:
    """The fingerprints of tensors that a card names."""
    return set(re.findall(r"tensors_sha256\W{1,12}([0-9a-f]{64})\b", card))


def _header(run: TrainingConfig | None) -> str:
    """What hubs read: YAML between two lines. A licence is not guessed."""
    base = _hub_name(run)
    lines = ["library_name: transformers", "pipeline_tag: image-segmentation"]
    lines += [] if base is None else [f"base_model: {base}"]
    return "\n".join(["---", *lines, "tags:", *(f"- {tag}" for tag in ("sa2va", "sam2", "vesselkit")), "---"])


def _hub_name(run: TrainingConfig | None) -> str | None:
    """The base by its name on a hub; None where the training config names a folder."""
    named = None if run is None else run.base_path
    return named if named is not None and _HUB_NAME.fullmatch(named) else None


def _facts(
    values: Mapping[str, Any], config: Mapping[str, Any], meta: CheckpointMeta | None, run: TrainingConfig | None
) -> str:
    settings = values["settings"]
    checkpoint = next((one for one in values["inputs"] if one["role"] == "checkpoint"), None)
    rows: list[tuple[str, str]] = [
        ("fingerprint", f"`tensors_sha256` `{values['tensors_sha256']}`"),
        ("weights", ConversionRecord(Path(), values).summary().splitlines()[0]),
        ("family", facts_of(config).title),
        ("base", _setting(settings, "base")),
        ("SAM2", _setting(settings, "sam2_config")),
        ("loaded over the base", _setting(settings, "pretrained")),
        (
            "checkpoint",
            NOT_TOLD if checkpoint is None else f"{one_line(checkpoint['name'])}, SHA-256 `{checkpoint['sha256']}`",
        ),
        ("chat template", _setting(settings, "template")),
        ("special tokens", _setting(settings, "special_tokens")),
        ("LoRA alpha", _setting(settings, "lora_alpha")),
        ("LoRA rank", _told(None if run is None else run.lora_rank)),
        ("trained iterations", _told(None if meta is None else meta.iter)),
        ("trained epochs", _told(None if meta is None else meta.epoch or None)),
        ("seed", _told(None if meta is None else meta.seed)),
        *((title, _told(_plain_at(run, keys))) for title, keys in _SCHEDULE),
        ("converted", f"{values['created'][:10]} by vesselkit {values['versions']['vesselkit']}"),
    ]
    table = markdown_table(("fact", "value"), rows)
    told = f"{NOT_TOLD.capitalize()} means that the checkpoint does not say it."
    return f"{table}\n`conversion.json` accounts for every tensor. {told}"


def _setting(settings: Mapping[str, Any], name: str) -> str:
    value = settings.get(name, {}).get("value")
    return NOT_TOLD if value is None else one_line(shown_value(value))


def _told(value: object) -> str:
    return NOT_TOLD if value is None else one_line(str(value))


def _plain_at(run: TrainingConfig | None, keys: tuple[str, ...]) -> str | int | float | None:
    """A number or a word in the training config; None where it says nothing that was understood."""
    found: object = None if run is None else run.values
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str | int | float) else None
