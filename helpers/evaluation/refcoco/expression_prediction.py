"""Predictions of expressions into parts, one file for each frame, so that a stopped run goes on."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from helpers.core.documents import document, parse_document
from helpers.core.errors import RefusedInput
from helpers.core.progress import Bar
from helpers.core.vocabulary import Combine
from helpers.data.truth.rle import encode
from helpers.evaluation.refcoco.expression_parts import (
    ImagePart,
    PredictedExpression,
    part_path,
    read_part,
    reason_to_predict,
    write_part,
)
from helpers.evaluation.refcoco.expressions import Expression
from helpers.prediction.engine.batch_pipeline import predict_batch
from helpers.prediction.engine.case_result import Failure, Thresholding
from helpers.prediction.engine.case_writer import result_of
from helpers.prediction.engine.prefetch import Loaded, load
from helpers.prediction.predictor import Predictor
from helpers.prediction.resume import tell, tell_mixture
from helpers.runs.durable import json_bytes, write_durable
from helpers.runs.provenance import making, making_text, mixture
from helpers.runs.run_config import config_sha256, differences, other_configuration

CONFIG_NAME = "refseg.json"
_SCHEMA, _VERSION = "vesselkit.refseg", 1

# As the RefCOCO evaluation of Sa2VA asks, the blank before `Please` included.
DEFAULT_PROMPT = "<image>\n Please segment {expression} in this image."
PLACE = "{expression}"

# The protocol unites the masks of all `[SEG]`.
THRESHOLDING = Thresholding(0.5, Combine.UNION)

# Prompts of one frame answered together; its features are computed once for them.
_PROMPTS_AT_ONCE = 32


class ExpressionsAndWarnings(NamedTuple):
    """The predictions of all expressions, in their order, and what must be known before they are believed."""

    expressions: list[PredictedExpression]
    warnings: list[str]


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
        stored = parse_document(path, path.read_bytes(), _SCHEMA, _VERSION, ("config",), "Name another folder")
        lines = differences(stored["config"], values)
        if lines:
            raise other_configuration(folder, lines, "predictions")
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RefusedInput(f"{folder}: expected a new folder or one of `vesselkit refseg`, found other files")
    else:
        write_durable(path, json_bytes(document(_SCHEMA, _VERSION, {"config": values})))
    return config_sha256(values)


def predict_expressions(
    expressions: Sequence[Expression], predictor: Predictor, folder: Path, template: str, mark: str
) -> ExpressionsAndWarnings:
    """Predict all expressions; images that are done, and the same ones still, are read from their parts.

    Args:
        expressions: those of a frame stand together.
        template: prompt with `{expression}` in it.
        mark: SHA-256 that `start` gave.
    """
    groups = {key: tuple(group) for key, group in groupby(expressions, key=lambda item: item.frame.case_id)}
    parts, reasons = {}, {}
    for case_id, items in groups.items():
        path = part_path(folder, case_id)
        part = read_part(path, mark, [item.expression_id for item in items])
        reason = reason_to_predict(path, part, items[0].frame)
        if reason is None:
            parts[case_id] = part
        else:
            reasons[case_id] = reason
    tell(reasons)
    made_with = making(str(predictor.settings.get("device", "cpu")))
    if reasons:
        tell_mixture(Counter(making_text(part.made_with) for part in parts.values()), made_with)
    with Bar("refseg", len(expressions), unit="expression") as bar:
        for case_id, items in groups.items():
            if case_id in reasons:
                parts[case_id] = _predict_frame(items, predictor, template, mark, made_with)
                write_part(part_path(folder, case_id), parts[case_id])
            bar.update(len(items))
    predicted = [one for case_id in groups for one in parts[case_id].expressions]
    return ExpressionsAndWarnings(predicted, _warnings(list(parts.values())))


def _warnings(parts: Sequence[ImagePart]) -> list[str]:
    unchecked = sum(not part.checked for part in parts)
    mixed_machines = mixture(Counter(making_text(part.made_with) for part in parts))
    warnings = [] if mixed_machines is None else [mixed_machines]
    if unchecked:
        warnings.append(
            f"predictions of {unchecked} of {len(parts)} images keep no digest, so that they could not be checked. "
            "Predict into a new folder to have them"
        )
    return warnings


def _predict_frame(
    items: Sequence[Expression],
    predictor: Predictor,
    template: str,
    mark: str,
    made_with: Mapping[str, str | None],
) -> ImagePart:
    prompts = [prompt_of(template, item.text) for item in items]
    distinct = list(dict.fromkeys(prompts))
    loaded = load(items[0].frame, predictor)
    by_prompt: dict[str, PredictedExpression] = {}
    for begin in range(0, len(distinct), _PROMPTS_AT_ONCE):
        for prompt, one in _answers(predictor, loaded, distinct[begin : begin + _PROMPTS_AT_ONCE]):
            by_prompt[prompt] = one
    predicted = [
        replace(by_prompt[prompt], expression_id=item.expression_id)
        for item, prompt in zip(items, prompts, strict=True)
    ]
    pixels = None if loaded.facts is None else loaded.facts.image_sha256
    return ImagePart(mark, predicted, pixels, loaded.source, made_with)


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
