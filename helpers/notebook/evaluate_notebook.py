"""Steps of `03_evaluate`: choose runs, score them on a data set, and keep the data of its tables and figures."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from helpers.core import paths
from helpers.core.errors import UsageProblem
from helpers.core.paths import Stage
from helpers.core.watermark import stamp_notebook
from helpers.data.dataset import Dataset
from helpers.data.groups.case_groups import case_groups
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.headline import centres_text, headline, official_check_lines
from helpers.evaluation.leakage.standing import title_of
from helpers.evaluation.markdown import written_mean
from helpers.evaluation.metrics_folder import Metrics, open_metrics
from helpers.evaluation.patients_needed import needed_text
from helpers.evaluation.score_table import sizes
from helpers.evaluation.scored_runs import ScoredRun, distinct_names, open_scored_runs
from helpers.evaluation.summary_text import operating_point_rows, processing_rows
from helpers.metrics.case_scores import CaseScoring
from helpers.metrics.postprocessing import Processing
from helpers.notebook.notebook_session import shown_path
from helpers.notebook.settings import EvaluateSettings, ReviewSettings
from helpers.review.figures.style import sizes_text
from helpers.review.figures.threshold_figures import CurveData
from helpers.runs.finishing import TABLE_NAME
from helpers.runs.run_config import read_config
from helpers.runs.run_folder import Run, open_run

_MOST_NAMED = 10
_BASELINE_KIND = "vesselness"  # of a run's model


@dataclass(frozen=True)
class ChosenRun:
    """One finished run that will be scored.

    Attributes:
        name: in all tables; no two runs have the same.
        reason: why this one.
    """

    name: str
    run: Run
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {shown_path(self.run.folder)} ({self.reason})"


@dataclass(frozen=True)
class Results:
    """The scores of an evaluation, its runs, and what both together give.

    Attributes:
        scored_runs: in the order of the parameters; the first is the one that the notebook is about.
    """

    metrics: Metrics = field(repr=False)
    scored_runs: tuple[ScoredRun, ...]

    @cached_property
    def scores(self) -> Mapping[str, pd.DataFrame]:
        """Name of a scored run -> its table of scores, of the cases that all have."""
        return {scored_run.name: self.metrics.scores(scored_run.name) for scored_run in self.scored_runs}

    @cached_property
    def summaries(self) -> Mapping[str, pd.DataFrame]:
        """Name -> means with intervals; failed and missing predictions count as empty masks."""
        return {scored_run.name: self.metrics.means(scored_run.name) for scored_run in self.scored_runs}

    @cached_property
    def summaries_of_scored(self) -> Mapping[str, pd.DataFrame]:
        """Name -> the same of the cases that have a mask, for the scored runs where some have none."""
        tables = {scored_run.name: self.metrics.means_of_scored(scored_run.name) for scored_run in self.scored_runs}
        return {f"{name}, without failures": table for name, table in tables.items() if table is not None}

    @property
    def first(self) -> str:
        """Name of the scored run that the notebook is about."""
        return self.scored_runs[0].name

    @property
    def title(self) -> str:
        """Whose scores these are: of patients that training saw, never saw, or of whom that is not known."""
        return title_of(self.metrics.summary)

    @property
    def headline(self) -> str:
        """The one sentence of this evaluation, whether its models were compared with the official code, and how many
        patients a narrower interval needs.
        """
        said = [headline(self.metrics.summary), *official_check_lines(self.metrics.summary)]
        return " ".join(filter(None, [*said, needed_text(self.metrics.summary)]))

    @property
    def fingerprint_table(self) -> pd.DataFrame:
        """What the scores were made from and hold, by the SHA-256 of each, in the order of its making."""
        summary, rows = self.metrics.summary, []
        rows.append(("data set", "frames that were scored", summary["dataset"]["listing_sha256"]))
        for scored_run in self.scored_runs:
            rows.append((f"run {scored_run.name}", "configuration", scored_run.run.config.config_sha256))
            rows.append((f"run {scored_run.name}", TABLE_NAME, scored_run.run.manifest["files"][TABLE_NAME]))
        training = summary["training"] or {"files": ()}
        rows += [(f"{one['role']} list", "file", one["sha256"]) for one in training["files"]]
        rows += [("evaluation", name, found) for name, found in sorted(summary["files"].items())]
        return pd.DataFrame(rows, columns=["fingerprints", "of", "SHA-256"])

    @property
    def left_out(self) -> int:
        """How many TRAINING patients were left out on request."""
        return (self.metrics.summary.get("standing") or {}).get("excluded_patients", 0)

    @property
    def sizes_note(self) -> str:
        """What all numbers rest on."""
        rests = [sizes_text(sizes(self.scores[self.first])), *centres_text(self.metrics.summary["dataset"])]
        return f"{', '.join(rests)}; {self.title}"

    @property
    def run_table(self) -> pd.DataFrame:
        """Who is scored, on how much: a row for each scored run."""
        rows = []
        standing = self.metrics.summary.get("standing")
        titles = {} if standing is None else {one["run"]: one["title"] for one in standing["runs"]}
        for scored_run in self.scored_runs:
            scores = self.scores[scored_run.name]
            outcomes = scores["outcome"].value_counts()
            rows.append(
                {
                    "run": scored_run.name,
                    "model": scored_run.model_name,
                    "prompt": scored_run.run.prompts[scored_run.prompt_id],
                    "threshold": scored_run.run.threshold,
                    "several [SEG]": str(scored_run.run.combine),
                    "rests on": sizes_text(sizes(scores)),
                    "training": titles.get(scored_run.name, self.title),
                    **{str(kind): int(outcomes.get(str(kind), 0)) for kind in CaseScoring},
                }
            )
        return pd.DataFrame(rows)

    @property
    def warning_table(self) -> pd.DataFrame:
        """What must be known before any number is believed; one row that says so where there is nothing."""
        return pd.DataFrame({"warnings": list(self.warnings) or ["none"]})

    @property
    def pooled_table(self) -> pd.DataFrame:
        """cIoU and gIoU of the RefCOCO protocol: a row for each, a column for each scored run."""
        columns = {run["name"]: list(map(written_mean, run["pooled"])) for run in self.metrics.summary["runs"]}
        return pd.DataFrame({"pooled": ["cIoU", "gIoU"], **columns})

    @cached_property
    def curves(self) -> tuple[CurveData, ...]:
        """What the curves of each scored run are drawn from; a run of imported masks may have no logits."""
        return tuple(self._curve(scored_run) for scored_run in self.scored_runs)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the evaluation, those of single comparisons too."""
        return tuple(self.metrics.summary["warnings"])

    @property
    def operating_point_table(self) -> pd.DataFrame:
        """The locked threshold beside 0.5, calibration and temperature: a column for each scored run."""
        rows = operating_point_rows(self.metrics.summary["studies"])
        return pd.DataFrame(rows, columns=["from the logits", *self.scores])

    @property
    def processing_table(self) -> pd.DataFrame:
        """What post-processing changes; one row that says so where none was asked for."""
        found = self.metrics.summary["processing"]
        if found is None:
            return pd.DataFrame({"post-processing": ["none asked for"]})
        title = f"gaps closed by {found['close_gaps']} px, pieces under {found['remove_small']} px removed"
        return pd.DataFrame(processing_rows(found["runs"]), columns=[title, *self.scores])

    @property
    def training_warnings(self) -> tuple[str, ...]:
        """Warnings of the training list; they belong to every table of scores."""
        training = self.metrics.summary["training"]
        return () if training is None else tuple(training["warnings"])

    def _curve(self, scored_run: ScoredRun) -> CurveData:
        name = scored_run.name
        rows = self.summaries[name].set_index("metric")
        return CurveData(
            name,
            list(self.metrics.histograms(name).values()),
            scored_run.run.threshold,
            float(rows.loc["dice", "mean"]),
            self.metrics.thresholds(name),
            self.metrics.reliability(name),
            self.metrics.operating_point(name),
        )


def choose_runs(settings: EvaluateSettings | ReviewSettings) -> tuple[ChosenRun, ...]:
    """The run to evaluate, then those to compare with or to show beside it, each opened, so that a bad one is refused.

    Tables and figures that this process shows from now on have their stamps, see `helpers.core.watermark`.

    Raises:
        UsageProblem: where a run is not found, or none is named and the project has none.
        RefusedInput: where one is not finished, or damaged.
    """
    if settings.predictions is None:
        found = [_latest_run(settings.project)]
    else:
        found = [(_run_folder(settings.project, settings.predictions), "as named")]
    found += [(_run_folder(settings.project, text), "to compare with") for text in settings.against]
    if isinstance(settings, ReviewSettings):
        found += [(_run_folder(settings.project, text), "to show beside it") for text in settings.beside]
    names = distinct_names([folder.name for folder, _ in found])
    chosen = [ChosenRun(name, open_run(folder), reason) for name, (folder, reason) in zip(names, found, strict=True)]
    stamp_notebook(*(one.run.stamp for one in chosen))
    return tuple(chosen)


def open_data(settings: EvaluateSettings) -> Dataset:
    """The data set. Raises as `open_dataset` and, before any frame is read, as `case_groups`."""
    dataset = settings.opening.open_to_score()
    if settings.groups is not None:
        case_groups(dataset, settings.groups)
    return dataset


def evaluate_runs(settings: EvaluateSettings, chosen: Sequence[ChosenRun], dataset: Dataset, output: Path) -> Results:
    """Score the runs into a new metrics folder. Raises as `helpers.evaluation.evaluate.evaluate`."""
    folders, names = [one.run.folder for one in chosen], [one.name for one in chosen]
    processing = Processing(close_gaps=settings.close_gaps, remove_small=settings.remove_small)
    evaluate(
        folders,
        dataset,
        output,
        names=names,
        prompt=settings.prompt,
        training=settings.training,
        exclude_training=settings.exclude_training,
        development=settings.development,
        processing=processing if processing.active else None,
        groups=settings.groups,
        processes=settings.processes or os.cpu_count() or 1,
        seed=settings.seed,
        draws=settings.draws,
    )
    scored_runs = open_scored_runs(folders, names, settings.prompt)
    return Results(open_metrics(output), scored_runs)


def _latest_run(project: str) -> tuple[Path, str]:
    """The project's latest finished run of a model, else its latest, and why: baselines are there for comparison."""
    folders = paths.all_complete(project, Stage.PREDICT)
    for folder in folders:
        model = read_config(folder).values.get("model") or {}
        if model.get("kind") != _BASELINE_KIND:
            return folder, f"the latest finished run of a model in project {project}"
    return folders[0], f"the latest finished run of project {project}"


def _run_folder(project: str, text: str) -> Path:
    """The folder of a path, or of the project's run of that name."""
    runs = paths.stage_folder(project, Stage.PREDICT)
    named = runs / text
    folder = named if not re.search(r"[/\\~]", text) and named.is_dir() else paths.resolve(text)
    if not folder.is_dir():
        known = sorted(path.parent.name for path in runs.glob(f"*/{Stage.PREDICT.final_file}"))
        listed = ", ".join(known[:_MOST_NAMED]) + (", ..." if len(known) > _MOST_NAMED else "")
        raise UsageProblem(
            f"expected a run folder, or the name of a run of project {project}, got {text!r}. "
            f"Its finished runs: {listed or 'none'}"
        )
    return folder
