"""Steps of `04_review`: open a run, its data set and its scores for review, and keep verdicts by the run."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from helpers.core import paths
from helpers.core.errors import RefusedInput
from helpers.core.paths import Stage
from helpers.core.vocabulary import Exchange, Exported, Identity, Language
from helpers.data.dataset import Dataset
from helpers.evaluation.metrics_folder import SUMMARY_NAME, Metrics, open_metrics
from helpers.notebook.evaluate_notebook import ChosenRun
from helpers.notebook.notebook_session import ResultFolder, shown_path
from helpers.notebook.settings import ReviewSettings
from helpers.review.agreement import agreements, preferences
from helpers.review.opened_review import OpenedReview
from helpers.review.review_source import open_source
from helpers.review.verdicts import Verdict, elsewhere
from helpers.stages.click_stage import open_model
from helpers.stages.exchange_stage import ExportRequest

VERDICTS_FOLDER = "verdicts"
CORRECTIONS_FOLDER = "corrections"
PAGE_NAME = "review.html"


@dataclass(frozen=True)
class Review(OpenedReview):
    """An opened review, and the folder that its verdicts and pictures lie in."""

    folder: Path = field(repr=False)

    @property
    def text(self) -> str:
        """What is reviewed, by which scores, and how far it is; one line each."""
        metrics = self.source.metrics
        scores = "none: cases stand in the order of their ids"
        if metrics is not None:
            scores = f"{shown_path(metrics.folder)}; {self.source.title}"
        run = self.source.scored_runs[0].run
        lines = [f"note: {text}" for text in (run.unchecked, run.mixture) if text is not None]
        lines += [f"scores: {scores}", f"{self.session.reviewer}: {self.session.progress()}"]
        lines += map(str, agreements(self.session.all_verdicts))
        for other, scored_run in zip(self.session.others, self.source.scored_runs[1:], strict=True):
            names = (self.source.scored_runs[0].name, scored_run.name)
            lines += preferences(names, self.session.all_verdicts, self.session.verdicts_on(other))
        if self.session.elsewhere:
            lines.append(elsewhere(self.session.elsewhere))
        if self.source.queue is not None:
            given = self.session.verdicts
            wrong = [name for name, one in given.items() if one.verdict is not Verdict.ACCEPT]
            lines.append(self.source.queue.to_text(wrong, list(given)))
        lines += filter(None, [self.corrections.to_text(self.corrections.measured_anchoring())])
        return "\n".join(lines)

    def export(self, settings: ReviewSettings) -> str:
        """Write what the settings ask for other tools into a new folder of the review; what was written, for people.

        Raises:
            UsageProblem: where there is nothing of this kind to export.
            RefusedInput: as `ExportRequest.run`.
        """
        if settings.export is None:
            return f"nothing is exported: set export to {', '.join(Exported)}"
        what, kind = Exported(settings.export), Exchange(settings.export_as)
        paired = what is Exported.PAIRS
        corrected = paired or what is Exported.CORRECTIONS
        accepts = what is Exported.CORRECTIONS and settings.accept_as_truth
        request = ExportRequest(
            what,
            kind,
            self.folder / VERDICTS_FOLDER if accepts or what is Exported.TO_FIX else None,
            self.folder / CORRECTIONS_FOLDER if corrected else None,
            settings.adjudicator if corrected else None,
            accepts,
            identity=Identity(settings.identity),
            margin=settings.margin if paired else None,
        )
        folder = paths.next_free(self.folder, f"{what}-{kind}")
        summary = replace(request.run(self.source, folder), folder=Path(shown_path(folder)))
        return summary.to_text()

    def write_page(self, most: int | None) -> Path:
        """`page` in the folder of the review."""
        return self.page(self.folder / PAGE_NAME, most)


def review_folder(settings: ReviewSettings, chosen: ChosenRun) -> ResultFolder:
    """The folder of this review, which goes on where it was left: that of the given name, or of the run's."""
    name = settings.name or paths.plain_name(chosen.name, "name")
    return ResultFolder(paths.stage_folder(settings.project, Stage.REVIEW) / name, name)


def open_review(settings: ReviewSettings, chosen: tuple[ChosenRun, ...], dataset: Dataset, folder: Path) -> Review:
    """Open the review of the first of the chosen runs, the one `against` in its place on request, the others beside it.

    Raises:
        UsageProblem: where the run has no such prompt.
        RefusedInput: where data set or scores are not those of the run, or the model cannot be loaded.
    """
    run = chosen[0].run
    prompt = settings.prompt or next(iter(run.prompts))
    if settings.metrics is None:
        metrics = _latest_metrics(settings.project, run.config.config_sha256, prompt)
    else:
        metrics = open_metrics(settings.metrics)
    others = [one.run.folder for one in chosen[1:]]
    against = others.pop(0) if settings.against else None
    source = open_source(
        run.folder, dataset, against=against, beside=others, metrics=metrics, prompt=prompt, queue=settings.queue
    )
    model = (None, None) if settings.model is None else open_model(source, settings.model)
    verdicts, corrections = folder / VERDICTS_FOLDER, folder / CORRECTIONS_FOLDER
    language = Language(settings.language)
    return Review.of(
        source, settings.reviewer, verdicts, corrections, model, settings.from_empty, language, folder=folder
    )


def _latest_metrics(project: str, config_sha256: str, prompt: str) -> Metrics | None:
    """The newest evaluation of the project that scored this run and prompt; None where there is none.

    Scores of another version and damaged ones are skipped: the review opens without them and says so.
    """
    for folder in paths.newest_first(paths.stage_folder(project, Stage.EVALUATE), SUMMARY_NAME):
        try:
            metrics = open_metrics(folder)
        except RefusedInput:
            continue
        scored = [(one["config_sha256"], one["prompt_id"]) for one in metrics.summary["runs"]]
        if (config_sha256, prompt) in scored:
            return metrics
    return None
