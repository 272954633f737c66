"""Referring segmentation from a data set to its two numbers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import listing_sha256
from helpers.evaluation.leakage.standing import COLUMN
from helpers.evaluation.leakage.training_data import TrainingData
from helpers.evaluation.refcoco.expression_prediction import (
    DEFAULT_PROMPT,
    PLACE,
    THRESHOLDING,
    predict_expressions,
    prompt_of,
    start,
)
from helpers.evaluation.refcoco.expression_scoring import score, write
from helpers.evaluation.refcoco.expressions import check_truths, read_expressions
from helpers.evaluation.score_table import with_united
from helpers.prediction.predictor import Predictor, check_prompt
from helpers.runs.status import PredictionStatus, all_failed


def refseg(
    dataset: Dataset,
    identity: Mapping[str, Any],
    open_predictor: Callable[[], Predictor],
    output: Path,
    prompt: str | None = None,
    *,
    processes: int = 2,
) -> str:
    """Predict and score every expression of a data set; docs/refseg.md has what is written.

    Args:
        identity: of the model, JSON without paths.
        open_predictor: loads it, once all else was checked.
        output: folder to write; predictions that are there stay.
        prompt: with `{expression}` in it; None for the protocol's.
        processes: that score.
    Returns:
        The summary for people.
    Raises:
        UsageProblem: for a prompt that can never work.
        RefusedInput: where the data set has no expressions, one that can never work, or ground truths that do not fit;
            where the folder holds something else.
        VesselkitError: where every expression ended in an error; what is written stays.
    """
    template = DEFAULT_PROMPT if prompt is None else prompt
    check_prompt(template.replace(PLACE, "vessel"))
    expressions = read_expressions(dataset)
    for item in expressions.items:
        _check_words(prompt_of(template, item.text), item.expression_id)
    sizes = check_truths(expressions)
    predictor = open_predictor()
    config: dict[str, Any] = {
        "prompt": template,
        "model": dict(identity),
        "predictor": dict(predictor.settings),
        "threshold": THRESHOLDING.threshold,
        "combine": THRESHOLDING.combine.value,
        "dataset": {
            **dataset.identity,
            "listing_sha256": listing_sha256(dataset.frames),
            "image_bytes": sum(frame.nbytes or 0 for frame in dataset.frames),
            "expressions": [[item.expression_id, item.text] for item in expressions.items],
        },
    }
    mark = start(output, config)
    predictions, warnings = predict_expressions(expressions.items, predictor, output, template, mark)
    table = score(expressions.items, predictions, sizes, processes)
    case_ids = list(dict.fromkeys(table["case_id"]))
    standings = TrainingData(dataset).standings(identity, case_ids)
    table = with_united(table, dataset.people.spellings).assign(**{COLUMN: standings.of(table["case_id"])})
    context = {**config, "dataset": {**config["dataset"], "expressions": len(expressions.items)}}
    text = write(output, table, context, expressions.left_out, warnings)
    if all_failed(PredictionStatus(one.status) for one in predictions):
        raise VesselkitError(
            f"every expression ended in an error, so that nothing was predicted; the first: {predictions[0].status}"
            f"{': ' + predictions[0].message if predictions[0].message else ''}. The table is in {output}"
        )
    return text


def _check_words(prompt: str, expression_id: str) -> None:
    """Raise RefusedInput where the words of an expression make a prompt that can never work."""
    try:
        check_prompt(prompt, f"expression {expression_id}")
    except UsageProblem as error:
        raise RefusedInput(str(error)) from error
