"""Scores by group of a column, exploratory: means with intervals, what they rest on, and no test between groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from helpers.data.frames.image_reading import natural_key
from helpers.data.groups.case_groups import UNKNOWN, CaseGroups, GroupSource
from helpers.evaluation.markdown import count_text, escaped, interval_text, missing_text, table, written_mean
from helpers.evaluation.score_table import Unit, keys_of, records_of, summary, unit_of
from helpers.metrics.definitions import BY_METRIC, HEADLINE

_SOURCES = {
    GroupSource.CSV: "Groups by the column {} of a CSV file beside the data.",
    GroupSource.DICOM: "Groups by the {} that DICOM headers state.",
}


def groups_table(groups: CaseGroups, case_ids: Sequence[str]) -> pd.DataFrame:
    """Columns case_id and group, None where it is unknown; a row for each case, in their order."""
    return pd.DataFrame({"case_id": case_ids, "group": [groups.by_case[case_id] for case_id in case_ids]}, dtype=object)


def group_record(tables: Mapping[str, pd.DataFrame], groups: CaseGroups) -> dict[str, Any]:
    """The field `groups` of a summary, docs/metrics-format.md.

    Args:
        tables: name of a run -> its table of scores, all of the same cases.
        groups: of these cases, and maybe others.
    """
    first = next(iter(tables.values()))
    own = groups_table(groups, list(first["case_id"]))["group"].set_axis(first.index)
    known = sorted(own.dropna().unique(), key=natural_key)
    parts = [(group, first["case_id"][own == group]) for group in known]
    parts.append((None, first["case_id"][own.isna()]))
    return {
        "column": groups.column,
        "source": str(groups.source),
        "several": _several(first, own),
        "groups": [_described(tables, group, set(case_ids)) for group, case_ids in parts if len(case_ids)],
    }


def _several(table: pd.DataFrame, groups: pd.Series) -> int | None:
    """How many patients have cases in several groups, that of unknown ones among them; None where they are unknown."""
    if unit_of(table) is not Unit.PATIENT:
        return None
    counts = groups.fillna("").groupby(keys_of(table, Unit.PATIENT).to_numpy()).nunique()
    return int((counts > 1).sum())


def _described(tables: Mapping[str, pd.DataFrame], group: str | None, case_ids: set[str]) -> dict[str, Any]:
    runs: list[dict[str, Any]] = []
    for name, scores in tables.items():
        rows = summary(scores[scores["case_id"].isin(case_ids)])
        runs.append({"run": name, "summary": records_of(rows[rows["metric"].isin(HEADLINE)])})
    first, *_ = runs[0]["summary"]
    return {"group": group, **{name: first[name] for name in ("n_cases", "n_sequences", "n_patients")}, "runs": runs}


def group_name(group: Mapping[str, Any]) -> str:
    """The group of an entry of the record, as it is shown."""
    return UNKNOWN if group["group"] is None else group["group"]


def group_notes(record: Mapping[str, Any]) -> list[str]:
    """What must be known to read scores by group: where the groups come from, and that nothing compares them."""
    rows = [row for group in record["groups"] for run in group["runs"] for row in run["summary"]]
    units = " or ".join(dict.fromkeys(f"{row['unit']}s" for row in rows))
    several = record["several"]
    overlap = "Patients are not known and may be in several groups"
    if several is not None:
        counted_ones = f": {several} {'is' if several == 1 else 'are'}" if several else ""
        overlap = f"Patients may be in several groups{counted_ones}"
    notes = [
        _SOURCES[record["source"]].format(record["column"]),
        f"{overlap}; groups are not compared by a test, and differ in more than their value.",
        f"Mean over the means of {units} in each group; 95 % intervals: {interval_text(rows)}.",
    ]
    missing = missing_text(rows)
    return [*notes, f"{missing}."] if missing else notes


def group_rows(record: Mapping[str, Any], metrics: Sequence[str] = HEADLINE) -> list[list[str]]:
    """For each group and metric: the group as the data name it, the metric, a mean for each run, what they rest on."""
    rows = []
    for group in record["groups"]:
        by_run = [{row["metric"]: row for row in run["summary"]} for run in group["runs"]]
        for metric in metrics:
            means = [written_mean({**one[metric], "few": False}) for one in by_run]
            if any(means):
                unit = BY_METRIC[metric].unit
                title = BY_METRIC[metric].title + ("" if unit == "1" else f" [{unit}]")
                rows.append([group_name(group), title, *means, count_text(group)])
    return rows


def groups_text(
    record: Mapping[str, Any] | None, heading: str, runs: Sequence[str], warnings: Sequence[Sequence[str]]
) -> str:
    """The section of `summary.md`; empty where no groups were asked for, and for older folders.

    Args:
        heading: of the section, escaped.
        runs: how each run is called, escaped.
        warnings: rows that stand first.
    """
    if record is None:
        return ""
    head = ["group", "metric", *runs, "n"]
    rows = [[escaped(group), *cells] for group, *cells in group_rows(record)]
    return f"## {heading}\n\n{' '.join(map(escaped, group_notes(record)))}\n\n" + table(head, [*warnings, *rows])
