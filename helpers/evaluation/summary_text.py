"""The words of an evaluation: warnings, and `summary.md` for people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from helpers.core.shown_text import agreeing, counted
from helpers.evaluation.edit_distance import EDIT_TITLE, KEY, not_compared, not_compared_text, run_title
from helpers.evaluation.groups import groups_text
from helpers.evaluation.guess_text import TITLE, guess_text
from helpers.evaluation.headline import centres_text, headline, official_check_lines
from helpers.evaluation.leakage.standing import titled
from helpers.evaluation.markdown import (
    EQUAL_UNITS,
    count_text,
    escaped,
    interval_text,
    missing_text,
    p_text,
    table,
    written_mean,
    written_side,
)
from helpers.evaluation.patients_needed import needed_text
from helpers.evaluation.sequence_scores import sequences_text
from helpers.metrics.definitions import BY_METRIC, COMPARED, HEADLINE, Tier
from helpers.metrics.intervals import FEWEST_UNITS, Method


def summary_text(summary: Mapping[str, Any]) -> str:
    """`summary.md` of a summary, see docs/metrics-format.md."""
    parts = [
        "# Evaluation",
        f"**{escaped(headline(summary))}**",
        "\n".join(f"* {escaped(line)}" for line in official_check_lines(summary)),
        _rests_on(summary),
        _means(summary, HEADLINE, "Headline"),
    ]
    parts += [_scored_only(summary), _pooled(summary), _reference_bounds(summary)]
    parts += [_compared(comparison, summary) for comparison in summary["comparisons"]]
    parts += [_groups(summary)]
    second = tuple(metric for metric in BY_METRIC if BY_METRIC[metric].tier is Tier.SECOND)
    parts += [_means(summary, second, "Second table")]
    parts += [sequences_text(_titled_runs(summary["sequences"], summary), _heading(summary, "Sequences"))]
    parts += [guess_text(summary.get("guesses", ()), _heading(summary, TITLE))]
    parts += [_operating_points(summary), _processing(summary), _definitions(summary), _precision(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rests_on(summary: Mapping[str, Any]) -> str:
    data, lines = summary["dataset"], []
    scored, bare = counted(data["scored"], "case"), data["without_truth"]
    lines.append(f"{scored} of {data['cases']} in the data set ({bare} without truth).")
    for name, count in data["left_out"].items():
        lines.append(f"{count} {name}.")
    if data.get("rules"):
        said = (
            f"{name} {', '.join(value) if isinstance(value, list) else value}" for name, value in data["rules"].items()
        )
        lines.append(f"Ground truth as decided: {escaped('; '.join(said))}.")
    if data.get("ignored"):
        lines.append(
            f"{data['ignored']['pixels']} pixels of {counted(data['ignored']['cases'], 'case')} are ignored: they are "
            "left out of the overlap, and metrics of shape are undefined there."
        )
    for run in summary["runs"]:
        outcomes = ", ".join(f"{count} {word}" for word, count in run["outcomes"].items())
        lines.append(f"**{escaped(run['name'])}**: threshold {run['threshold']}, {run['combine']}; {outcomes}.")
    if summary["training"] is not None:
        for file in summary["training"]["files"]:
            listed = (
                f"{file['role'].capitalize()} list {file['sha256'][:12]}: {file['entries']} "
                f"{agreeing(file['entries'], 'entry', 'entries')}"
            )
            kept = file["matched"] is None
            lines.append(
                f"{listed}, by the hashes that were kept on this machine."
                if kept
                else f"{listed}, {counted(file['matched'], 'case')} of the data set among them."
            )
    lines += _standing_lines(summary)
    return "\n".join(f"* {line}" for line in lines)


def _standing_lines(summary: Mapping[str, Any]) -> list[str]:
    """How each run's training stands to the patients; nothing for a summary that does not know it."""
    standing = summary.get("standing")
    if standing is None:
        return []
    lines = [f"**{escaped(one['run'])}**: {escaped(one['title'])}." for one in standing["runs"]]
    if standing["excluded"]:
        lines.append(
            f"{counted(standing['excluded_patients'], 'TRAINING patient')} with "
            f"{counted(standing['excluded_cases'], 'case')} left out, as asked for."
        )
    return lines


def _heading(summary: Mapping[str, Any], heading: str) -> str:
    return escaped(titled(heading, summary.get("standing")))


def _means(summary: Mapping[str, Any], metrics: Sequence[str], title: str) -> str:
    """Means with intervals, warnings as rows of the table itself."""
    runs = summary["runs"]
    rows = {run["name"]: {row["metric"]: row for row in run["summary"]} for run in runs}
    shown = [metric for metric in metrics if any(rows[run["name"]][metric]["mean"] is not None for run in runs)]
    head = ["metric", *_run_titles(summary), "n"]
    all_edited = title == "Headline" and all(run.get(KEY) for run in runs)
    heading = _heading(summary, title)
    if all_edited:
        heading = _heading(summary, EDIT_TITLE.capitalize()).replace(f"{EDIT_TITLE} (", "(")
    how_to_read = (
        " Dice is that of the runs' masks and the corrected ones; 1 means that nobody changed a mask."
        if all_edited
        else ""
    )
    lines = _warning_rows(summary["warnings"], len(head))
    for metric in shown:
        of_runs = [rows[run["name"]][metric] for run in runs]
        unit = BY_METRIC[metric].unit
        name = BY_METRIC[metric].title + ("" if unit == "1" else f" [{unit}]")
        lines.append([name, *(written_mean(row) for row in of_runs), count_text(of_runs[0])])
    written = [rows[run["name"]][metric] for run in runs for metric in shown]
    missing = f" {missing_text(written)}." if missing_text(written) else ""
    return (
        f"## {heading}\n\nMean of {_unit(summary)} means;{how_to_read} 95 % intervals: {interval_text(written)}."
        f"{missing}{_centres(summary)} Failed and missing predictions count as empty masks. Infinite distances are "
        "capped at the frame's diagonal; the median is over cases.\n\n" + table(head, lines)
    )


def _run_titles(summary: Mapping[str, Any]) -> list[str]:
    """The names of runs above their scores, escaped; with what these are where the truth began from a run's masks."""
    return [escaped(run_title(summary, run["name"])) for run in summary["runs"]]


def _titled_runs(found: Mapping[str, Any] | None, summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A record of several runs with their titles in place of their names."""
    if found is None:
        return None
    return {**found, "runs": [{**one, "run": run_title(summary, one["run"])} for one in found["runs"]]}


def _groups(summary: Mapping[str, Any]) -> str:
    titles, warnings = _run_titles(summary), _training_warnings(summary)
    return groups_text(
        summary.get("groups"),
        _heading(summary, "Groups, exploratory"),
        titles,
        _warning_rows(warnings, len(titles) + 3),
    )


def _scored_only(summary: Mapping[str, Any]) -> str:
    lines = []
    for run in summary["runs"]:
        if run["scored_only"] is not None:
            by_metric = {row["metric"]: row for row in run["scored_only"]}
            shown = ", ".join(
                f"{BY_METRIC[metric].title} {written_mean(by_metric[metric])}" for metric in ("dice", "iou", "cldice")
            )
            lines.append(f"* {escaped(run_title(summary, run['name']))}: {shown} ({count_text(by_metric['dice'])})")
    return "Without failed and missing predictions:\n\n" + "\n".join(lines) if lines else ""


def _pooled(summary: Mapping[str, Any]) -> str:
    lines = [
        f"* {escaped(run_title(summary, run['name']))}: "
        + ", ".join(f"{'cIoU' if row['metric'] == 'ciou' else 'gIoU'} {written_mean(row)}" for row in run["pooled"])
        for run in summary["runs"]
    ]
    return "Pooled, as in the RefCOCO protocol:\n\n" + "\n".join(lines)


def _reference_bounds(summary: Mapping[str, Any]) -> str:
    bounds = summary["yardsticks"]
    return (
        f"## Reference bounds\n\nMean of {_unit(summary)} means of the Dice of: the ground truth passed down to the "
        f"256 grid and back {bounds['ceiling']:.3f}; an empty mask {bounds['all_empty']:.3f}; a full mask "
        f"{bounds['all_foreground']:.3f}."
    )


def _training_warnings(summary: Mapping[str, Any]) -> list[str]:
    return [] if summary["training"] is None else summary["training"]["warnings"]


def _compared(found: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """The section on two runs; why there are no numbers where the ground truth began from the masks of one."""
    own = not_compared(summary, found)
    if not own:
        return _comparison(found, _training_warnings(summary))
    heading = escaped(f"{found['second']} against {found['first']}: not compared")
    said = [not_compared_text(found["first"], found["second"], own), *found["warnings"]]
    return f"## {heading}\n\n{escaped('. '.join(said))}."


def _comparison(found: Mapping[str, Any], warnings: Sequence[str]) -> str:
    first, second = escaped(found["first"]), escaped(found["second"])
    head = ["metric", first, second, "difference", "p (sign flip, Holm)", "p (Wilcoxon, Holm)", "n"]
    lines = _warning_rows((*warnings, *found["warnings"]), len(head))
    for row in found["metrics"]:
        tests = [p_text(row["p_sign_flip_holm"]), p_text(row["p_wilcoxon_holm"])]
        values = [
            written_side(row, "first"),
            written_side(row, "second"),
            written_mean({**row, "mean": row["difference"]}),
            *tests,
        ]
        count = f"{counted(row['n_cases'], 'case')}, {counted(row['n_units'], row['unit'])}"
        if row.get("n_tested", row["n_units"]) != row["n_units"]:
            count += f", {row['n_tested']} of them tested"
        lines.append([BY_METRIC[row["metric"]].title, *values, count])
    counts = found["changes"]
    heading = escaped(titled(f"{found['second']} against {found['first']}", found))
    return (
        f"## {heading}\n\nDifferences of {second} less {first}, paired, with 95 % intervals: "
        f"{interval_text(found['metrics'])}; over the family of {len(COMPARED)} metrics "
        f"fixed beforehand. By Dice {counted(counts.get('better', 0), 'case')} better, {counts.get('worse', 0)} "
        f"worse, {counts.get('same', 0)} the same; {counted(found['identical'], 'mask')} "
        "identical.\n\n" + table(head, lines)
    )


def _warning_rows(warnings: Iterable[str], columns: int) -> list[list[str]]:
    return [[f"**warning:** {escaped(text)}", *[""] * (columns - 1)] for text in warnings]


def operating_point_rows(points: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The locked threshold beside 0.5, calibration and temperature: a title, then a text for each run.

    Args:
        points: of a summary, one for each run.
    """
    rows = [
        ("Dice at 0.5", lambda point: _estimate(point["threshold"], "dice_at_half")),
        ("Dice at the locked threshold", lambda point: _estimate(point["threshold"], "dice")),
        ("gain", lambda point: _estimate(point["threshold"], "gain")),
        ("locked threshold", _locked),
        ("ECE, 15 bins of equal width", lambda point: _estimate(point["calibration"], "ece")),
        ("ECE, 15 bins of equal mass", lambda point: _number(point["calibration"], "ece_equal_mass")),
        ("Brier score", lambda point: _estimate(point["calibration"], "brier")),
        ("Brier score of the share of vessel", lambda point: _number(point["calibration"], "brier_of_share")),
        ("temperature", lambda point: _number(point["temperature"], "temperature")),
        ("ECE after scaling by the temperature", _scaled_error),
        ("chosen on", _chosen_on),
        ("notes", lambda point: "; ".join(point["notes"])),
    ]
    return [[title, *(text(point) for point in points)] for title, text in rows]


def processing_rows(runs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Masks as they are, processed, and the paired difference: a metric's title, then a text for each run.

    Args:
        runs: of `processing` of a summary.
    """
    tables = [{row["metric"]: row for row in run["metrics"]} for run in runs]
    return [
        [BY_METRIC[metric].title, *(_change(table.get(metric)) for table in tables)]
        for metric in COMPARED
        if any(metric in table for table in tables)
    ]


def _operating_points(summary: Mapping[str, Any]) -> str:
    names = [escaped(run_title(summary, point["run"])) for point in summary["studies"]]
    rows = ([escaped(text) for text in row] for row in operating_point_rows(summary["studies"]))
    return (
        f"## {_heading(summary, 'Threshold and calibration')}\n\nFrom the stored logits. No case is scored with what "
        "was chosen on it; 95 % intervals are Student's t over "
        f"units; of the ECE percentiles of bootstrap draws, from {FEWEST_UNITS} units on.\n\n"
        + table(["", *names], rows)
    )


def _scaled_error(found: Mapping[str, Any]) -> str:
    return "" if found["temperature"] is None else _estimate(found["temperature"]["calibration"], "ece")


def _chosen_on(found: Mapping[str, Any]) -> str:
    chosen = found["threshold"]
    if chosen is None:
        return ""
    if chosen["chosen_on"] is not None:
        return f"{counted(len(chosen['chosen_on']), 'development case')}"
    return f"cross-validation, {len(chosen['fold_thresholds'])} folds of {chosen['unit']}s"


def _locked(found: Mapping[str, Any]) -> str:
    chosen = found["threshold"]
    if chosen is None:
        return ""
    folds = chosen["fold_thresholds"]
    return f"{chosen['threshold']:.3f}" + (f" (folds {min(folds):.3f} to {max(folds):.3f})" if folds else "")


def _estimate(part: Mapping[str, Any] | None, name: str) -> str:
    if part is None:
        return ""
    value = part[name]
    interval = "" if value["low"] is None else f" [{value['low']:.3f}, {value['high']:.3f}]"
    interval += f" ({EQUAL_UNITS})" if value.get("interval") == Method.EQUAL else ""
    few = f" (fewer than {FEWEST_UNITS} units)" if value["n_units"] < FEWEST_UNITS else ""
    return f"{value['mean']:.3f}{interval}{few}"


def _number(part: Mapping[str, Any] | None, name: str) -> str:
    return "" if part is None else f"{part[name]:.3f}"


def _processing(summary: Mapping[str, Any]) -> str:
    processing = summary["processing"]
    if processing is None:
        return ""
    names = [escaped(run_title(summary, run["run"])) for run in processing["runs"]]
    return (
        f"## {_heading(summary, 'Post-processing')}\n\nGaps closed with a disk of {processing['close_gaps']} px, then "
        f"pieces of fewer than {processing['remove_small']} px removed (0: not done). As it is, processed, and the "
        "paired difference; it is not part of any other table.\n\n"
        + table(["metric", *names], processing_rows(processing["runs"]))
    )


def _change(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    return f"{row['first']:.3f}, {row['second']:.3f}, {written_mean({**row, 'mean': row['difference']})}"


def _definitions(summary: Mapping[str, Any]) -> str:
    lines = [
        f"* {row['title']} (`{row['metric']}`): {row['text']}; {row['computed_by']}" for row in summary["definitions"]
    ]
    return "## Definitions\n\n" + "\n".join(lines)


def _unit(summary: Mapping[str, Any]) -> str:
    return summary["runs"][0]["summary"][0]["unit"]


def _precision(summary: Mapping[str, Any]) -> str:
    said = needed_text(summary)
    return f"## Sample size\n\n{escaped(said)}" if said else ""


def _centres(summary: Mapping[str, Any]) -> str:
    """From how many centres the cases come, as a sentence; empty for evaluations of before that was asked."""
    return "".join(f" {text.capitalize()}." for text in centres_text(summary["dataset"]))
