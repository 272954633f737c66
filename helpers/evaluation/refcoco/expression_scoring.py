"""Scores of expressions: the engine's, pooled as in the RefCOCO protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import __version__
from helpers.core.atomic import write_bytes_atomic, write_text_atomic
from helpers.core.documents import write_document
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.data.cases import ignored_of
from helpers.data.truth.shapes import decode, encode
from helpers.evaluation.case_arrays import score_many
from helpers.evaluation.leakage.standing import counts, title
from helpers.evaluation.markdown import escaped
from helpers.evaluation.metric_score import POOLED_TITLES
from helpers.evaluation.refcoco.expression_prompts import prompt_of
from helpers.evaluation.refcoco.expressions import Expression
from helpers.evaluation.score_table import pooled, scores_table
from helpers.evaluation.sealed_looks import look_titles
from helpers.metrics.case_scores import CaseArrays, CaseScoring
from helpers.metrics.intervals import FEWEST_UNITS, Method
from helpers.runs.run_folder import Run
from helpers.runs.status import PredictionStatus

TABLE_NAME, SUMMARY_NAME, TEXT_NAME = "expressions.parquet", "summary.json", "summary.md"


@dataclass(frozen=True)
class PredictedExpression:
    """What a run holds for one expression.

    Attributes:
        answer: the model's text; None where there is none.
        message: what went wrong; None where nothing did.
        rle: COCO code of the mask; None where there is none.
    """

    status: PredictionStatus
    answer: str | None
    message: str | None
    rle: Mapping[str, Any] | None = field(repr=False)

    def mask(self) -> np.ndarray | None:
        """The mask, bool (H, W); None where there is none."""
        return None if self.rle is None else decode(self.rle)


def predictions_of(run: Run, expressions: Sequence[Expression], template: str) -> list[PredictedExpression]:
    """What a run holds for expressions, in their order.

    Args:
        run: that asked each case the prompts of its expressions.
        template: prompt with `{expression}` in it.
    Raises:
        RefusedInput: where masks are lost, or not those that the run wrote.
    """
    ids = {case_id: {words: prompt_id for prompt_id, words in run.asked.of(case_id).items()} for case_id in run.cases()}
    predicted = []
    for item in track(expressions, "masks", unit="expression"):
        case_id = item.frame.case_id
        prompt_id = ids[case_id][prompt_of(template, item.text)]
        row, mask = run.prediction(case_id, prompt_id)[0], run.mask(case_id, prompt_id)
        code = None if mask is None else encode(mask)
        predicted.append(PredictedExpression(row.status, row.text, row.message, code))
    return predicted


def score(
    expressions: Sequence[Expression],
    predictions: Sequence[PredictedExpression],
    sizes: Mapping[str, tuple[int, int]],
    processes: int = 2,
) -> pd.DataFrame:
    """One row for each expression: its words, what was answered, then the columns of `scores_table`.

    Args:
        sizes: width and height of each case's frame.
    Raises:
        RefusedInput: as `score_case`.
    """
    pairs = list(zip(expressions, predictions, strict=True))
    scores = scores_table(score_many(partial(_arrays, sizes), pairs, processes)).rename(
        columns={"case_id": "expression_id"}
    )
    told = pd.DataFrame(
        {
            "case_id": [item.frame.case_id for item in expressions],
            "split": [item.frame.split for item in expressions],
            "expression": [item.text for item in expressions],
            "status": [str(one.status) for one in predictions],
            "answer": [one.answer for one in predictions],
            "message": [one.message for one in predictions],
            "rle": [None if one.rle is None else one.rle["counts"] for one in predictions],
        }
    )
    return pd.concat([scores[["expression_id"]], told, scores.drop(columns="expression_id")], axis=1)


def results(table: pd.DataFrame) -> list[dict[str, Any]]:
    """cIoU and gIoU with intervals, as JSON objects.

    Whole patients are drawn where all are known, else whole sequences, where a frame of unknown sequence is one of its
    own: expressions of one frame are not independent.
    """
    image_known = table["sequence"].notna()
    rows = []
    for row in pooled(_unit_table(table)).to_dict("records"):
        unit = "image" if row["unit"] == "sequence" and not image_known.any() else row["unit"]
        ends = {name: float(row[name]) if np.isfinite(row[name]) else None for name in ("mean", "low", "high")}
        named = row["interval"] if isinstance(row["interval"], str) else None
        few, independent = bool(row["few"]), bool(row["independent"])
        rows.append(
            {"metric": row["metric"], **ends, "interval": named, "unit": unit, "n_units": row["n_units"], "few": few}
            | {"independent": independent}
        )
    return rows


def write(
    folder: Path,
    table: pd.DataFrame,
    context: Mapping[str, Any],
    left_out: Mapping[str, int],
    warnings: Sequence[str] = (),
    look: Mapping[str, Any] | None = None,
) -> str:
    """Write table, summary.json and summary.md; gives the text of the last.

    Args:
        context: JSON object that says what was asked, without paths.
        left_out: numbers of entries skipped, by reason.
        warnings: sentences that must be known before the numbers are believed.
        look: at sealed patients, as `counted_look` gives it; None where none was scored.
    """
    failed = int((table["outcome"] != CaseScoring.SCORED).sum())
    summary = {
        "version": __version__,
        "config": dict(context),
        "expressions": len(table),
        "images": int(table["case_id"].nunique()),
        "failed": failed,
        **look_titles({"title": title(counts(_unit_table(table)))}, look),
        "sealed": None if look is None else dict(look),
        "statuses": {str(name): int(count) for name, count in table["status"].value_counts().items()},
        "left_out": dict(left_out),
        "warnings": list(warnings),
        "results": results(table),
    }
    text = _text(summary)
    write_bytes_atomic(folder / TABLE_NAME, table.to_parquet(index=False))
    write_text_atomic(folder / TEXT_NAME, text)
    write_document(folder / SUMMARY_NAME, "vesselkit.refseg.summary", 1, summary)
    return text


def _text(summary: Mapping[str, Any]) -> str:
    lines = [f"# Referring segmentation: {summary['title']}", ""]
    lines += [
        f"{counted(summary['expressions'], 'expression')} of {counted(summary['images'], 'image')}; "
        f"{summary['failed']} without a mask, scored as empty."
    ]
    lines += [f"{count} {reason} left out." for reason, count in summary["left_out"].items()]
    lines += ["", *(f"**warning:** {escaped(text)}" for text in summary["warnings"])] if summary["warnings"] else []
    lines += ["", f"| metric | value | 95 % interval ({Method.LOGIT_T}) | units |", "| --- | --- | --- | --- |"]
    for row in summary["results"]:
        known = row["low"] is not None
        interval = f"[{row['low']:.3f}, {row['high']:.3f}]" if known else row["interval"] or "none"
        doubt = f", fewer than {FEWEST_UNITS}" if row["few"] else ""
        doubt += "" if row["independent"] else ", not known to be independent"
        value = "n/a" if row["mean"] is None else f"{row['mean']:.3f}"
        lines.append(
            f"| {POOLED_TITLES[row['metric']]} | {value} | {interval} | {counted(row['n_units'], row['unit'])}{doubt} |"
        )
    return "\n".join([*lines, "", f"Prompt: {escaped(summary['config']['prompt'])}", ""])


def _unit_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table with expressions as cases; a frame of unknown sequence is one of its own."""
    sequence = table["sequence"].where(table["sequence"].notna(), table["case_id"])
    return table.assign(case_id=table["expression_id"], sequence=sequence)


def _arrays(sizes: Mapping[str, tuple[int, int]], pair: tuple[Expression, PredictedExpression]) -> CaseArrays:
    item, predicted = pair
    width, height = sizes[item.frame.case_id]
    return CaseArrays(
        case_id=item.expression_id,
        truth=item.truth.mask(width, height),
        ignored=ignored_of(item.truth, width, height),
        prediction=predicted.mask(),
        sequence=item.frame.sequence,
        patient=item.frame.patient,
    )
