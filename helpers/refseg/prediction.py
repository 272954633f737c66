"""Predictions of expressions into parts, one file for each frame, so that a stopped run goes on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from helpers.data.rle import BadRle, decode, encode
from helpers.errors import RefusedInput
from helpers.inference.ahead import Loaded, load
from helpers.inference.assembly import Failure, Thresholding
from helpers.inference.committing import result_of
from helpers.inference.pipeline import predict_batch
from helpers.inference.predictor import Predictor
from helpers.refseg.expressions import Expression
from helpers.runs.config import config_sha256, differences, other_configuration
from helpers.runs.durable import json_bytes, write_durable
from helpers.runs.masks import Combine

CONFIG_NAME = "refseg.json"

# As the RefCOCO evaluation of Sa2VA asks, the blank before `Please` included.
DEFAULT_PROMPT = "<image>\n Please segment {expression} in this image."
PLACE = "{expression}"

# The protocol unites the masks of all `[SEG]`.
THRESHOLDING = Thresholding(0.5, Combine.UNION)

# Prompts of one frame answered together; its features are computed once for them.
_PROMPTS_AT_ONCE = 32


@dataclass(frozen=True)
class PredictedExpression:
    """What was predicted for one expression.

    Attributes:
        status: as in docs/run-format.md.
        answer: the model's text; None where there is none.
        message: what went wrong; None where nothing did.
        rle: COCO code of the mask; None where there is none.
    """

    expression_id: str
    status: str
    answer: str | None
    message: str | None
    rle: Mapping[str, Any] | None = field(repr=False)

    def mask(self) -> np.ndarray | None:
        """The mask, bool (H, W); None where there is none."""
        return None if self.rle is None else decode(self.rle)


def prompt_of(template: str, text: str) -> str:
    """The prompt of an expression: in lower case and without a final full stop, as Sa2VA is trained on them."""
    return template.replace(PLACE, text.lower().strip().removesuffix("."))


def start(folder: Path, values: Mapping[str, Any]) -> str:
    """Write what decides the predictions into a new folder, or compare it with what is there; gives its SHA-256.

    Raises:
        RefusedInput: where the folder holds something else, or predictions of another configuration.
    """
    path = folder / CONFIG_NAME
    if path.is_file():
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))["config"]
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedInput(f"{path}: not readable ({error!r}). Name another folder") from error
        lines = differences(stored, values)
        if lines:
            raise other_configuration(folder, lines, "predictions")
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RefusedInput(f"{folder}: expected a new folder or one of `vesselkit refseg`, found other files")
    else:
        write_durable(path, json_bytes({"schema": "vesselkit.refseg", "schema_version": 1, "config": values}))
    return config_sha256(values)


def predict_expressions(
    expressions: Sequence[Expression], predictor: Predictor, folder: Path, template: str, mark: str
) -> list[PredictedExpression]:
    """The predictions of all expressions, in their order; frames that are done are read from their parts.

    Args:
        expressions: those of a frame stand together.
        template: prompt with `{expression}` in it.
        mark: SHA-256 that `start` gave.
    """
    found: list[PredictedExpression] = []
    with tqdm(total=len(expressions), desc="refseg", unit="expression") as bar:
        for case_id, group in groupby(expressions, key=lambda item: item.frame.case_id):
            items = list(group)
            path = folder / "parts" / f"{case_id}.json"
            done = _read_part(path, mark)
            if done is None:
                done = _predict_frame(items, predictor, template)
                content = {"config_sha256": mark, "expressions": [asdict(one) for one in done]}
                write_durable(path, json_bytes(content))
            found += done
            bar.update(len(items))
    return found


def _predict_frame(items: Sequence[Expression], predictor: Predictor, template: str) -> list[PredictedExpression]:
    prompts = [prompt_of(template, item.text) for item in items]
    distinct = list(dict.fromkeys(prompts))
    loaded = load(items[0].frame, predictor)
    by_prompt: dict[str, PredictedExpression] = {}
    for begin in range(0, len(distinct), _PROMPTS_AT_ONCE):
        for prompt, one in _answers(predictor, loaded, distinct[begin : begin + _PROMPTS_AT_ONCE]):
            by_prompt[prompt] = one
    return [
        PredictedExpression(**{**asdict(by_prompt[prompt]), "expression_id": item.expression_id})
        for item, prompt in zip(items, prompts, strict=True)
    ]


def _answers(predictor: Predictor, loaded: Loaded, prompts: Sequence[str]) -> Iterator[tuple[str, PredictedExpression]]:
    """Each prompt with its prediction. Where prompts fail together (memory, or one that fails), those of its halves."""
    outcome = predict_batch(predictor, [loaded], tuple(prompts))[0]
    if isinstance(outcome.found, Failure) and loaded.failure is None and len(prompts) > 1:
        middle = len(prompts) // 2
        yield from _answers(predictor, loaded, prompts[:middle])
        yield from _answers(predictor, loaded, prompts[middle:])
        return
    ids = {f"p{number}": prompt for number, prompt in enumerate(prompts, start=1)}
    result = result_of(outcome, ids, THRESHOLDING)
    rows = {row.prompt_id: row for row in result.rows}
    for prompt_id, prompt in ids.items():
        row, mask = rows[prompt_id], result.masks.get(prompt_id)
        code = None if mask is None else encode(mask)
        yield prompt, PredictedExpression("", str(row.status), row.text, row.message, code)


def _read_part(path: Path, mark: str) -> list[PredictedExpression] | None:
    """A part of this configuration; None where there is none that is whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["config_sha256"] != mark:
            return None
        found = [PredictedExpression(**values) for values in content["expressions"]]
        for one in found:
            one.mask()
    except (OSError, ValueError, KeyError, TypeError, BadRle):
        return None
    return found
