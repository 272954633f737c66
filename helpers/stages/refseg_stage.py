"""Referring segmentation from a data set to its two numbers: a run with prompts for each case, and its scores.

Prediction gets frames and words. The ground truth of an expression stays with `evaluation.refcoco`, which scores a run.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.core.vocabulary import Combine
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import listing_sha256
from helpers.evaluation.leakage.standing import COLUMN
from helpers.evaluation.leakage.training_data import TrainingData
from helpers.evaluation.refcoco.expression_prompts import DEFAULT_PROMPT, PLACE, own_prompts, prompt_of
from helpers.evaluation.refcoco.expression_scoring import predictions_of, score, write
from helpers.evaluation.refcoco.expressions import check_truths, read_expressions
from helpers.evaluation.score_table import with_united
from helpers.evaluation.sealed_looks import counted_look, look_warnings
from helpers.prediction.predictor import Predictor, check_prompt
from helpers.prediction.run import check_asking, predict
from helpers.runs.run_config import CONFIG_NAME
from helpers.runs.run_folder import open_run
from helpers.runs.status import all_failed

# What versions before run folders had prompts of cases wrote first, in place of run.json.
_FORMER_NAME = "refseg.json"

# The protocol unites the masks of all `[SEG]`.
_MASKS: dict[str, Any] = {"threshold": 0.5, "combine": Combine.UNION}


def refseg(
    dataset: Dataset,
    identity: Mapping[str, Any],
    open_predictor: Callable[[], Predictor],
    output: Path,
    prompt: str | None = None,
    *,
    official_check: Mapping[str, Any] | None = None,
    processes: int = 2,
) -> str:
    """Predict and score every expression of a data set; docs/refseg.md has what is written.

    Args:
        identity: of the model, JSON without paths.
        open_predictor: loads it, once all else was checked.
        output: run folder, new or one that was stopped; the scores are written beside the run's files.
        prompt: with `{expression}` in it; None for the protocol's.
        official_check: as for `helpers.prediction.run.predict`.
        processes: that score.
    Returns:
        The summary for people.
    Raises:
        UsageProblem: for a prompt that can never work.
        RefusedInput: where the data set has no expressions, one that can never work, or ground truths that do not fit;
            where the folder holds something else.
        VesselkitError: where every expression ended in an error; what is written stays. Also as `predict`.
    """
    template = DEFAULT_PROMPT if prompt is None else prompt
    check_prompt(template.replace(PLACE, "vessel"))
    expressions = read_expressions(dataset)
    for item in expressions.items:
        _check_words(prompt_of(template, item.text), item.expression_id)
    _refuse_former(output)
    asked = own_prompts(expressions.items, template)
    frames = [frame for frame in dataset.frames if frame.case_id in asked]
    settings = {**_MASKS, "limit": None, "dataset": dataset.identity}
    check_asking(output, frames, asked, model=identity, **settings)
    sizes = check_truths(expressions)
    predictor = open_predictor()
    predict(frames, predictor, output, asked, official_check=official_check, **settings)
    run = open_run(output)
    predictions = predictions_of(run, expressions.items, template)
    table = score(expressions.items, predictions, sizes, processes)
    case_ids = list(dict.fromkeys(table["case_id"]))
    standings = TrainingData(dataset).standings(identity, case_ids)
    table = with_united(table, dataset.people.spellings).assign(**{COLUMN: standings.of(table["case_id"])})
    look = counted_look(dataset, [table])
    warnings = [*([] if run.mixture is None else [run.mixture]), *look_warnings(look)]
    context = {
        "prompt": template,
        "model": dict(identity),
        "predictor": dict(predictor.settings),
        "threshold": run.threshold,
        "combine": run.combine.value,
        "dataset": {
            **dataset.identity,
            "listing_sha256": listing_sha256(dataset.frames),
            "image_bytes": sum(frame.nbytes or 0 for frame in dataset.frames),
            "expressions": len(table),
        },
    }
    text = write(output, table, context, expressions.left_out, warnings, look)
    if all_failed(one.status for one in predictions):
        first = predictions[0]
        raise VesselkitError(
            f"every expression ended in an error, so that nothing was predicted; the first: {first.status}"
            f"{': ' + first.message if first.message else ''}. The table is in {output}"
        )
    return text


def _refuse_former(output: Path) -> None:
    """Raise RefusedInput for a folder of before the predictions were a run."""
    if (output / _FORMER_NAME).is_file() and not (output / CONFIG_NAME).is_file():
        raise RefusedInput(
            f"{output}: holds predictions as earlier versions of `vesselkit refseg` kept them ({_FORMER_NAME}), which "
            "this one does not go on with. What is there stays as it is: read its summary.md if it was finished, and "
            "name a new folder to predict"
        )


def _check_words(prompt: str, expression_id: str) -> None:
    """Raise RefusedInput where the words of an expression make a prompt that can never work."""
    try:
        check_prompt(prompt, f"expression {expression_id}")
    except UsageProblem as error:
        raise RefusedInput(str(error)) from error
