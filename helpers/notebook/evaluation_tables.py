"""Scores as the tables that notebook 03 shows: numbers with their intervals and with what they rest on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers.core.shown_text import counted
from helpers.evaluation.edit_distance import not_compared, not_compared_text, run_title
from helpers.evaluation.guess_text import guess_head, guess_notes, guess_rows
from helpers.evaluation.leakage.standing import counts, joint, p_value_note, title
from helpers.evaluation.markdown import interval_text, missing_text, p_text, written_mean, written_side
from helpers.evaluation.paired import CaseChange, Pairing, changes, pair, turned
from helpers.evaluation.score_table import both_empty, capped, patient_means, reference_bound_means, sizes
from helpers.evaluation.sequence_scores import sequence_difference_rows, sequence_rows, stepless_text
from helpers.metrics.definitions import BY_METRIC, HEADLINE, METRICS
from helpers.metrics.masks import as_masks
from helpers.notebook.evaluate_notebook import Results
from helpers.review.case_ranking import telling_cases
from helpers.review.figures.score_figures import difference_figure, sequence_figure
from helpers.review.figures.style import caution, sizes_of, sizes_text

_MOST_CHANGED = 5
SECOND = tuple(metric for metric in METRICS if metric not in HEADLINE)


def with_warnings(table: pd.DataFrame, warnings: Sequence[str], title: str | None = None) -> pd.DataFrame:
    """A table with warnings as its first rows, so that no number of it is read without them.

    Args:
        title: whose scores these are, right above the numbers.
    """
    said = [f"WARNING: {text}" for text in warnings] + ([] if title is None else [title])
    rows = pd.DataFrame([[text, *[""] * (table.shape[1] - 1)] for text in said], columns=table.columns)
    return pd.concat([rows, table], ignore_index=True)


def written_scores(summaries: Mapping[str, pd.DataFrame], metrics: Sequence[str] = HEADLINE) -> pd.DataFrame:
    """A row for each metric that some run has, a column for each run: `0.781 [0.752, 0.809]`.

    Rows below name the intervals, and say how many predictions failed and were scored as empty masks, what the numbers
    rest on, and what the intervals do not say.

    Args:
        summaries: name of a run -> its table of `helpers.evaluation.score_table.summary`.
    """
    tables = {name: table.set_index("metric") for name, table in summaries.items()}
    rows = []
    for metric in metrics:
        texts = [_written(table, metric) for table in tables.values()]
        if any(texts):
            rows.append((_title(metric), *texts))
    firsts = [table.iloc[0] for table in tables.values()]
    shown = [_of_metrics(table, metrics) for table in summaries.values()]
    rows.append(("95 % intervals", *map(interval_text, shown)))
    missing = [missing_text(one) for one in shown]
    if any(missing):
        rows.append(("without interval", *missing))
    rows.append(("failed or missing, scored as empty", *(str(first["n_failed"]) for first in firsts)))
    rows.append(("rests on", *(sizes_text(sizes_of(table)) for table in summaries.values())))
    cautions = [caution(int(first["n_units"]), str(first["unit"]), bool(first["independent"])) for first in firsts]
    if any(cautions):
        rows.append(("caution", *cautions))
    return pd.DataFrame(rows, columns=["metric", *summaries])


def headline_scores(results: Results) -> pd.DataFrame:
    """`written_scores` of the runs, and without their failures where there are some, below what is warned of."""
    shown = {**results.summaries, **results.summaries_of_scored}
    return with_warnings(written_scores(_titled(results, shown)), results.warnings, results.title)


def further_scores(results: Results) -> pd.DataFrame:
    """`written_scores` of the metrics beyond the headline, below what training data they were scored on."""
    shown = _titled(results, results.summaries)
    return with_warnings(written_scores(shown, SECOND), results.training_warnings, results.title)


def _titled(results: Results, summaries: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables by the names of their runs, with what the scores are where the ground truth began from a run's masks."""
    return {run_title(results.metrics.summary, name): table for name, table in summaries.items()}


def guess_tables(results: Results) -> tuple[pd.DataFrame, ...]:
    """For each run what its own guesses were worth, below what training data it was scored on; a line where none is."""
    tables = []
    for name in results.scores:
        record = results.metrics.guess_record(name)
        if record is None or not (record["signals"] or record["maps"]):
            continue
        head = guess_head(record)
        rows = guess_rows(record) if record["signals"] else []
        said = [[note, *[""] * (len(head) - 1)] for note in guess_notes(record)]
        table = pd.DataFrame([*rows, *said], columns=[f"{name}: {head[0]}", *head[1:]])
        tables.append(with_warnings(table, results.training_warnings, results.title))
    return tuple(tables) or (pd.DataFrame({"The model's own guess": ["no run says how sure it is"]}),)


def reference_bound_table(bounds: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Dice of the three reference bounds, averaged like the scores.

    Args:
        bounds: columns case_id, ceiling, all_empty, all_foreground.
        scores: of any run on the same cases; it says which patient and sequence each belongs to.
    """
    names = {
        "ceiling": "ground truth through the model's 256 grid and back",
        "all_empty": "empty mask",
        "all_foreground": "mask of all pixels",
    }
    means = reference_bound_means(bounds, scores)
    return pd.DataFrame({"reference bound": names.values(), "Dice": [round(means[name], 3) for name in names]})


def median_case(scores: pd.DataFrame) -> str:
    """The case whose Dice is the median, of those where something is to be seen; the lower of two in the middle."""
    return str(telling_cases(shown_dice(scores) or _dice(scores), 1).median)


def shown_dice(scores: pd.DataFrame) -> dict[str, float]:
    """Case id -> Dice, of the cases where something is to be seen."""
    return _dice(scores[~both_empty(scores)])


def _dice(scores: pd.DataFrame) -> dict[str, float]:
    return dict(zip(scores["case_id"], scores["dice"], strict=True))


def definition_table(
    scores: pd.DataFrame,
    case_id: str,
    truth: np.ndarray,
    mask: np.ndarray,
    definitions: Mapping[str, Callable[[np.ndarray, np.ndarray], float]],
) -> pd.DataFrame:
    """One case's scores beside another definition's values of the same masks.

    Args:
        scores: table of scores that holds the case.
        truth, mask: of the case, (H, W), as `as_mask` takes them.
        definitions: metric -> function of the flat truth and the flat mask, bool, such as scikit-learn's `f1_score`.
    Raises:
        RefusedInput: as `as_mask`, and for two shapes.
    """
    truth, mask = as_masks(truth=truth, mask=mask)
    row = scores.set_index("case_id").loc[case_id]
    rows = []
    for metric, function in definitions.items():
        other, own = float(function(truth.ravel(), mask.ravel())), float(row[metric])
        name = f"{BY_METRIC[metric].title} = {function.__name__}"
        rows.append((case_id, name, own, other, "equal" if np.isclose(own, other, rtol=0, atol=1e-12) else "DIFFERENT"))
    return pd.DataFrame(rows, columns=["case_id", "metric", "this evaluation", "scikit-learn", "verdict"])


def unit_differences(pairing: Pairing, metrics: Sequence[str]) -> pd.DataFrame:
    """Differences of unit means, second run less first: columns metric, unit, difference.

    A case where only one run defines a metric counts for neither; units without a case that does are left out.
    """
    first, second = capped(pairing.first), capped(pairing.second)
    parts = []
    for metric in metrics:
        defined = first[metric].notna() & second[metric].notna()
        means = [
            patient_means(table.assign(**{metric: table[metric].where(defined)}), [metric]).set_index("patient")[metric]
            for table in (first, second)
        ]
        difference = (means[1] - means[0]).dropna()
        parts.append(pd.DataFrame({"metric": metric, "unit": difference.index, "difference": difference.to_numpy()}))
    return pd.concat(parts, ignore_index=True)


def written_comparison(compared: pd.DataFrame) -> pd.DataFrame:
    """A table of `helpers.evaluation.paired.compare` for people: no p-value where none may be given."""
    rows = []
    for _, row in compared.iterrows():
        rows.append(
            (
                _title(row["metric"]),
                written_side(row, "first"),
                written_side(row, "second"),
                written_mean({**row, "mean": row["difference"], "few": False}, sign="+"),
                p_text(row["p_sign_flip_holm"]),
                p_text(row["p_wilcoxon_holm"]),
                f"{counted(row['n_units'], row['unit'])}, {counted(row['n_cases'], 'case')}" + _tested(row),
            )
        )
    names = ["metric", "first", "second", "difference", "p, sign flip (Holm)", "p, Wilcoxon (Holm)", "rests on"]
    return pd.DataFrame(rows, columns=names)


def _tested(row: pd.Series) -> str:
    """On how many units the p-values rest, where training saw some of them."""
    tested = row.get("n_tested", row["n_units"])
    return "" if tested == row["n_units"] else f", {int(tested)} of them tested"


def change_counts(changed: pd.DataFrame) -> pd.DataFrame:
    """How many cases got better or worse, from a table of `helpers.evaluation.paired.changes`."""
    counts = changed["change"].value_counts()
    return pd.DataFrame({str(kind): [int(counts.get(str(kind), 0))] for kind in CaseChange})


def _written(table: pd.DataFrame, metric: str) -> str:
    """Mean and interval; empty where the metric is undefined for every case."""
    # That units are few is said once for the whole table, in its row of cautions.
    return written_mean({"metric": metric, **table.loc[metric], "few": False}) if metric in table.index else ""


def _of_metrics(table: pd.DataFrame, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of metrics in a table of a summary."""
    return [
        {str(name): value for name, value in row.items()}
        for row in table.to_dict("records")
        if row["metric"] in metrics
    ]


def _title(metric: str) -> str:
    definition = BY_METRIC[metric]
    return (
        definition.title
        if definition.unit in ("1",) or definition.unit in definition.title
        else (f"{definition.title}, {definition.unit}")
    )


@dataclass(frozen=True)
class Comparison:
    """The first run against another one.

    Attributes:
        number: from 1, in the order of the parameters.
        text: which runs, on what, and whether their masks are the same; or why they are not compared.
        tables: differences by metric, numbers of changed cases, and those that changed most either way.
        figures: `difference_1` -> the differences of units; neither tables nor figures where nothing is compared.
    """

    number: int
    text: str
    tables: tuple[pd.DataFrame, ...] = field(default=(), repr=False)
    figures: Mapping[str, Figure] = field(default_factory=dict, repr=False)


def compared_with_first(results: Results) -> Iterator[Comparison]:
    """One comparison for each other run, in order: differences are those of the first run less the other."""
    for number, scored_run in enumerate(results.scored_runs[1:], start=1):
        own = not_compared(results.metrics.summary, {"first": results.first, "second": scored_run.name})
        if own:
            yield Comparison(number, f"{not_compared_text(results.first, scored_run.name, own)}.")
            continue
        pairing = pair(results.scores[scored_run.name], results.scores[results.first])
        compared = turned(results.metrics.comparison(scored_run.name))
        together = counts(joint((pairing.first, pairing.second)))
        shown = title(together, results.left_out)
        note = sizes_text(sizes(pairing.first))
        tests = p_value_note(together, scored_run.name, results.first)
        changed = changes(pairing)
        differences = _named(written_comparison(compared), scored_run.name, results.first)
        yield Comparison(
            number,
            f"{_text(results.first, scored_run.name, pairing, note)}\n{shown}",
            (with_warnings(differences, [*results.training_warnings, *([tests] if tests else [])], shown),
             change_counts(changed),
             _named(_ends(changed).round(3), f"Dice, {scored_run.name}", f"Dice, {results.first}")),
            {f"difference_{number}": difference_figure(
                unit_differences(pairing, list(compared["metric"])),
                compared,
                first=scored_run.name,
                second=results.first,
                sizes_note=f"{note}; {shown}",
            )},
        )  # fmt: skip


def _ends(changed: pd.DataFrame) -> pd.DataFrame:
    """The first and last rows, each once."""
    if len(changed) <= 2 * _MOST_CHANGED:
        return changed
    return pd.concat([changed.head(_MOST_CHANGED), changed.tail(_MOST_CHANGED)])


def _named(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    return table.rename(columns={"first": first, "second": second})


def _text(first: str, other: str, pairing: Pairing, note: str) -> str:
    words = (
        f"{first} against {other}: {note}; masks identical in {len(pairing.identical)} of "
        f"{counted(len(pairing.first), 'case')}"
    )
    if pairing.all_identical:
        words += "\nThe two runs hold THE SAME MASKS: there is nothing to compare. Check that they are the runs meant"
    left_out = len(pairing.only_first) + len(pairing.only_second)
    return (
        f"{words}\n{counted(left_out, 'case')} left out, since only one of the two was scored on them"
        if left_out
        else words
    )


def sequence_tables(results: Results) -> tuple[pd.DataFrame, ...]:
    """Means with intervals, a column for each run, and differences from the first; one row that says so without any.

    A table of its own says where sequences have no step from frame to frame.
    """
    found = results.metrics.summary["sequences"]
    if found is None:
        return (pd.DataFrame({"sequences": ["no two neighbouring frames of a sequence were scored"]}),)
    title = f"{counted(found['sequences'], 'sequence')}, means of {found['unit']} means; {results.title}"
    tables = [
        pd.DataFrame(
            sequence_rows(found),
            columns=[title, *(run_title(results.metrics.summary, run["run"]) for run in found["runs"])],
        )
    ]
    if found["comparisons"]:
        columns = [f"{one['second']} less {one['first']}" for one in found["comparisons"]]
        tables.append(pd.DataFrame(sequence_difference_rows(found), columns=["paired", *columns]))
    note = stepless_text(found)
    if note:
        tables.append(pd.DataFrame({"without a step": [note]}))
    return tuple(tables)


def restless_figures(results: Results) -> dict[str, Figure]:
    """`sequence` -> curves of the sequence in which the first run flickers most; none without a scored step."""
    frames, sequences = results.metrics.frames(), results.metrics.sequences()
    if frames is None or sequences is None:
        return {}
    own = sequences[(sequences["run"] == results.first) & sequences["flicker"].notna()]
    if own.empty:
        return {}
    worst = own.loc[own["flicker"].idxmax(), "sequence"]
    title = f"{worst}, the most flicker; {results.title}"
    return {"sequence": sequence_figure(frames[frames["sequence"] == worst], list(results.scores), title)}
