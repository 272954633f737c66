"""Pictures of scores: the headline with intervals, distributions over patients, and paired differences."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.evaluation.groups import group_name
from helpers.evaluation.markdown import count_text, each_unit, interval_text, stands_beside
from helpers.evaluation.score_table import Unit, capped, keys_of, patient_means, sizes, table_of, unit_of
from helpers.metrics.definitions import BY_METRIC, HEADLINE, Better
from helpers.review.figures.style import caution, legend, look, new_figure, say, sizes_of, sizes_text

DISTRIBUTION_METRICS = ("dice", "cldice", "nsd_2px")
GROUP_METRICS = ("dice", "cldice")
_WIDTH = 10.0
_ROW = 0.28  # inches of one metric of one run
_MOST_LABELS = 40
_BESIDE = 0.2  # of a case's dot from its patient's marker, in patients


def headline_figure(summaries: Mapping[str, pd.DataFrame], title: str = "") -> Figure:
    """Mean and interval of every headline metric, the runs beside each other, with the numbers written out.

    With too few units for an interval, the mean of each is a dot in its place.

    Shares are drawn from 0 to 1, distances on an axis of their own. Metrics that no run has are left out.

    Args:
        summaries: name of a run -> its table of `helpers.evaluation.score_table.summary`; at least one.
        title: whose scores these are, see `helpers.evaluation.leakage.standing`.
    """
    tables = {name: table.set_index("metric") for name, table in summaries.items()}
    known = [
        name
        for name in HEADLINE
        if any(name in table.index and pd.notna(table.loc[name, "mean"]) for table in tables.values())
    ]
    panels = [[name for name in known if (BY_METRIC[name].unit == "1") is share] for share in (True, False)]
    panels = [panel for panel in panels if panel]
    heights = [len(panel) * len(tables) * _ROW + 0.3 for panel in panels]
    first = next(iter(summaries.values()))
    failed = ", ".join(f"{name} {int(table['n_failed'].iloc[0])}" for name, table in summaries.items())
    figure = new_figure(
        _WIDTH,
        1.4 + sum(heights) + 0.5 * len(panels),
        f"Headline: mean of {first['unit'].iloc[0]} means",
        f"95 % intervals: {interval_text([dict(first.iloc[place]) for place in _places(first, known)])}",
        title,
        f"{sizes_text(sizes_of(first))}; scored as empty since failed or missing: {failed}",
        _caution_of(first),
    )
    axes: list[Axes] = []
    if panels:
        axes = list(figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0])
    for axis, panel in zip(axes, panels, strict=True):
        _draw_intervals(axis, tables, panel)
    if panels:
        legend(axes[-1], *_handles(axes[0], tables), loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=4)
    else:
        say(figure.subplots(), "no metric is defined for any case")
    return figure


def distribution_figure(
    tables: Mapping[str, pd.DataFrame], metrics: Sequence[str] = DISTRIBUTION_METRICS, title: str = ""
) -> Figure:
    """Scores over patients: every case of the first run as a dot, means of all runs as markers.

    All panels have the patients in one order, the worst of the first run in the first metric to the left.

    Args:
        tables: name of a run -> its table of scores; the first is the one whose cases are drawn.
        title: whose scores these are.
    """
    first = next(iter(tables.values()))
    unit = unit_of(first)
    figure = new_figure(
        _WIDTH, 1.0 + 2.3 * len(metrics), f"Distribution over {unit}s, worst first", title, sizes_text(sizes(first))
    )
    tables = {name: capped(table) for name, table in tables.items()}
    ranked = patient_means(capped(first), [metrics[0]]).sort_values(metrics[0], kind="stable")["patient"]
    axes = figure.subplots(len(metrics), 1, squeeze=False)[:, 0]
    for axis, metric in zip(axes, metrics, strict=True):
        _draw_distribution(axis, tables, metric, unit, list(ranked))
    legend(axes[0], *_handles(axes[0], tables), loc="lower right", ncols=4)
    return figure


def difference_figure(
    differences: pd.DataFrame, compared: pd.DataFrame, *, first: str, second: str, sizes_note: str
) -> Figure:
    """Differences of unit means, `second` less `first`: a dot for each unit, and the mean with its interval.

    Args:
        differences: columns metric, unit, difference; one row for each metric and unit.
        compared: rows of `helpers.evaluation.paired.compare`.
        sizes_note: of the shared cases, as `sizes_text` puts it.
    """
    metrics = [name for name in compared["metric"] if name in set(differences["metric"])]
    rows = compared.set_index("metric")
    heading = f"{second} less {first}, by {compared['unit'].iloc[0]}"
    figure = new_figure(_WIDTH, 1.2 + 0.75 * len(metrics), heading, sizes_note, _caution_of(compared))
    axes = figure.subplots(len(metrics), 1, squeeze=False)[:, 0]
    for axis, metric in zip(axes, metrics, strict=True):
        values = np.sort(differences.loc[differences["metric"] == metric, "difference"].to_numpy(float))
        spread = np.linspace(-0.3, 0.3, len(values)) if len(values) > 1 else np.zeros(len(values))
        axis.axvline(0.0, color="0.6", linewidth=1)
        axis.plot(values, spread, linestyle="none", marker="o", markersize=4, alpha=0.5, color=look(0).colour)
        _draw_mean(axis, rows.loc[metric], 0.0, 1)
        axis.set_yticks([0.0], [_label(metric)])
        axis.set_ylim(-0.6, 0.6)
    return figure


def group_figure(record: Mapping[str, Any], title: str = "", metrics: Sequence[str] = GROUP_METRICS) -> Figure:
    """Mean and interval of each group, the runs beside each other, in the order of the groups' names.

    In a group with too few units for an interval, the mean of each is a dot in its place.

    Args:
        record: of a summary, see `helpers.evaluation.groups.group_record`.
        title: whose scores these are.
        metrics: shares, a panel for each.
    """
    groups = record["groups"]
    runs = [run["run"] for run in groups[0]["runs"]]
    names = [f"{group_name(group)}\n{count_text(group)}" for group in groups]
    height = len(groups) * max(0.4, len(runs) * _ROW) + 0.6
    heading = f"Groups by {record['column']}, exploratory"
    figure = new_figure(_WIDTH, 1.2 + len(metrics) * height, heading, title, "groups are not compared by a test")
    axes = figure.subplots(len(metrics), 1, squeeze=False, sharex=True)[:, 0]
    for axis, metric in zip(axes, metrics, strict=True):
        for place, group in enumerate(groups):
            for index, run in enumerate(group["runs"]):
                found = table_of(run["summary"]).set_index("metric").loc[metric]
                if not np.isnan(found["mean"]):
                    _draw_estimate(axis, found, _height(place, index, len(runs)), index)
        axis.set_title(_label(metric), loc="left", fontsize=9)
        axis.set_yticks(range(len(names)), names, fontsize=8, parse_math=False)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_xlim(0.0, 1.0)
        axis.grid(axis="x", color="0.9")
    handles = _handles(axes[0], dict.fromkeys(runs))
    legend(axes[-1], *handles, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=4)
    return figure


def _height(row: int, index: int, count: int) -> float:
    """Where the run at `index` of so many stands in a row."""
    return row + (index - (count - 1) / 2) * 0.8 / count


def _draw_intervals(axis: Axes, tables: Mapping[str, pd.DataFrame], metrics: Sequence[str]) -> None:
    count = len(tables)
    for row, metric in enumerate(metrics):
        for index, table in enumerate(tables.values()):
            if metric in table.index and not np.isnan(table.loc[metric, "mean"]):
                _draw_estimate(axis, table.loc[metric], _height(row, index, count), index)
    axis.set_yticks(range(len(metrics)), [_label(metric) for metric in metrics])
    axis.set_ylim(len(metrics) - 0.5, -0.5)
    axis.grid(axis="x", color="0.9")
    if BY_METRIC[metrics[0]].unit == "1":
        axis.set_xlim(0.0, 1.0)
    else:
        axis.set_xlim(left=0.0)


def _draw_estimate(axis: Axes, found: pd.Series, height: float, index: int) -> None:
    """A mean with its interval, or with dots for its units, and the numbers at the right."""
    each = list(each_unit(found).values())
    axis.plot(each, [height] * len(each), linestyle="none", marker=".", color="0.35", zorder=3)
    _draw_mean(axis, found, height, index)
    axis.text(1.01, height, _written(found), transform=axis.get_yaxis_transform(), va="center", fontsize=8)


def _places(table: pd.DataFrame, metrics: Sequence[str]) -> list[int]:
    """Rows of the metrics in a table of a summary."""
    return [place for place, metric in enumerate(table["metric"]) if metric in metrics]


def _draw_mean(axis: Axes, found: pd.Series, height: float, index: int) -> None:
    """A marker at the mean, and a bar over the interval where there is one."""
    drawn = look(index)
    mean = float(found.get("mean", found.get("difference", np.nan)))
    if not np.isnan(found["low"]):
        axis.hlines(height, found["low"], found["high"], color=drawn.colour, linewidth=2)
    axis.plot([mean], [height], marker=drawn.marker, color=drawn.colour, markersize=7, linestyle="none")


def _draw_distribution(
    axis: Axes, tables: Mapping[str, pd.DataFrame], metric: str, unit: Unit, order: Sequence[str]
) -> None:
    """One metric over the units, which stand in the given order."""
    places = {key: place for place, key in enumerate(order)}
    axis.set_ylabel(_label(metric))
    if all(table[metric].isna().all() for table in tables.values()):
        say(axis, f"{_label(metric)}: undefined for every case")
        return
    first = next(iter(tables.values()))
    cases = first.dropna(subset=[metric])
    spots = keys_of(first, unit)[cases.index].map(places) + _BESIDE
    axis.plot(spots, cases[metric], linestyle="none", marker=".", color="0.45", markersize=4)
    for index, table in enumerate(tables.values()):
        means = patient_means(table, [metric]).dropna(subset=[metric])
        means = means[means["patient"].isin(places)]
        drawn = look(index)
        axis.plot(
            means["patient"].map(places),
            means[metric],
            linestyle="none",
            marker=drawn.marker,
            color=drawn.colour,
            markersize=6,
        )
    shown = order if len(order) <= _MOST_LABELS else []
    axis.set_xticks(range(len(shown)), shown, rotation=90, fontsize=7, parse_math=False)
    axis.set_xlabel(f"{len(order)} {unit}s")
    axis.set_xlim(-0.5, len(order) - 0.5)
    if BY_METRIC[metric].unit == "1":
        axis.set_ylim(-0.03, 1.05)


def _handles(axis: Axes, tables: Mapping[str, object]) -> tuple[list, list[str]]:
    """What a legend needs to tell runs apart."""
    handles = []
    for index in range(len(tables)):
        drawn = look(index)
        handles += axis.plot([], [], marker=drawn.marker, color=drawn.colour, linestyle="none")
    return handles, list(tables)


def _label(metric: str) -> str:
    definition = BY_METRIC[metric]
    unit = "" if definition.unit == "1" or definition.unit in definition.title else f", {definition.unit}"
    return f"{definition.title}{unit}" + (" (lower is better)" if definition.better is Better.LOWER else "")


def _written(found: pd.Series) -> str:
    """`0.781 [0.752, 0.809]`, and on a line of its own what it is not to be read without."""
    interval = "" if np.isnan(found["low"]) else f" [{found['low']:.3f}, {found['high']:.3f}]"
    notes = stands_beside({"metric": found.name, **found})
    return f"{found['mean']:.3f}{interval}" + (f"\n({', '.join(notes)})" if notes else "")


def _caution_of(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    return caution(int(first["n_units"]), str(first["unit"]), bool(first["independent"]))


def sequence_figure(frames: pd.DataFrame, runs: Sequence[str], heading: str) -> Figure:
    """Dice, change without cause, and size of the mask over the frames of a sequence, a line for each run.

    Args:
        frames: rows of one sequence of `frames.parquet`, docs/metrics-format.md. A frame that was not scored is a gap.
        runs: in the order that gives them their looks.
    """
    figure = new_figure(8.0, 6.5, heading, "a gap is a frame that was not scored")
    panels = figure.subplots(3, 1, sharex=True)
    positions = range(int(frames["position"].min()), int(frames["position"].max()) + 1)
    handles = []
    for place, run in enumerate(runs):
        drawn = look(place)
        rows = frames[frames["run"] == run].set_index("position").reindex(positions)
        style = {"color": drawn.colour, "linestyle": drawn.dashes, "marker": drawn.marker, "markersize": 3}
        for axis, values in zip(panels, (rows["dice"], rows["flicker"], rows["mask_pixels"] / 1000), strict=True):
            lines = axis.plot(rows.index + 1, values, **style)
        handles += lines
    truth = frames.drop_duplicates("position").set_index("position")["truth_pixels"].reindex(positions) / 1000
    handles += panels[2].plot(truth.index + 1, truth, color="0.4", linewidth=3, alpha=0.5)
    for axis, name in zip(panels, ("Dice", "flicker", "mask [1000 pixels]"), strict=True):
        axis.set_ylabel(name)
        axis.grid(color="0.9")
    panels[0].set_ylim(-0.02, 1.02)
    panels[1].set_ylim(bottom=-0.02)
    panels[2].set_xlabel("frame of the sequence")
    legend(panels[2], handles, [*runs, "ground truth"], loc="best")
    return figure
