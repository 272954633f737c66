"""A run and its data set become a review by eye, in a notebook or as a page.

The data set and the scores are opened here; `helpers.review` takes them opened.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.core.errors import UsageProblem
from helpers.core.given_values import input_path, known_word, optional_input_path, output_path, share
from helpers.core.vocabulary import Language
from helpers.data.opening import opening_of
from helpers.evaluation.evaluate import Evaluation
from helpers.evaluation.metrics_folder import open_metrics
from helpers.review.corrections.reviewed import corrections_beside
from helpers.review.kit_folders import require_verdicts
from helpers.review.opened_review import OpenedReview
from helpers.review.review_source import open_source
from helpers.runs.run_folder import Run
from helpers.stages.click_stage import open_model

GivenRun = str | os.PathLike[str] | Run


def open_review(
    run: GivenRun,
    data: str | os.PathLike[str],
    *,
    metrics: str | os.PathLike[str] | Evaluation | None = None,
    against: GivenRun | None = None,
    beside: Sequence[GivenRun] = (),
    prompt: str | None = None,
    verdicts: str | os.PathLike[str] | None = None,
    reviewer: str = "reviewer",
    model: str | os.PathLike[str] | None = None,
    from_empty: float = 0,
    queue: int | None = None,
    language: str = "en",
    **rules: Any,
) -> OpenedReview:
    """Open the review of a run. In a notebook, a cell that ends in it shows the viewer of notebook 04.

    Where there is no notebook, `page("review.html")` of it writes the page that a browser opens from the disk.

    Args:
        run: a finished run, as `predict` returns it, or its folder.
        data: the data set of the run.
        metrics: evaluation of the run, as `evaluate` returns it, or its folder: for scores and the worst first.
        against: another run of the same cases, shown in place of the first with the key b.
        beside: further runs, shown beside it, each in a panel of its own.
        prompt: id of the prompt, such as `p1`; None for the first of the run.
        verdicts: folder that verdicts are kept in; None for the run's own name with `-verdicts` behind it. Corrections
            are kept beside it, under the same name with `corrections` in place of `verdicts`.
        reviewer: whose verdicts and corrections these are: a name or initials.
        model: folder that `convert` wrote, whose SAM2 answers clicks in a notebook's viewer and carries corrections
            through sequences; None for none.
        from_empty: share of the cases, 0 .. 1, drawn at random, that the reviewer draws from empty before their
            prediction is shown, so that anchoring is measured (docs/review.md).
        queue: show so many cases alone, the next to look at by the model's own doubt, a tenth of them at random; None
            for all (docs/review.md).
        language: that viewer and page begin in, `en` or `zh`; a button in them changes it.
        **rules: how the data set is opened: layout, ids (`keep` or `pseudonym`), id_key, group_by, split, rescale,
            rescale_from.

    Raises:
        UsageProblem: for parameters that cannot work, or a prompt that the run does not have.
        RefusedInput: where a run is not finished or damaged, or data set or scores are not those of the run.

    Example:
        >>> import vesselkit
        >>> review = vesselkit.open_review("demo-run", "demo-data")
        >>> len(review.session.queue)
        4
        >>> review.page("review.html", most=2).name
        'review.html'
    """
    share(from_empty, "from_empty", "the cases")
    spoken = known_word(Language, language, "language")
    if queue is not None and queue < 1:
        raise UsageProblem(f"queue: expected at least 1, got {queue}")
    folder = _folder(run, "run")
    store = Path(f"{folder}-verdicts") if verdicts is None else Path(verdicts)
    kept_in = output_path(store, "verdicts", data)
    require_verdicts(kept_in, "verdicts")
    model_folder = optional_input_path(model, "model")
    scores = metrics.folder if isinstance(metrics, Evaluation) else optional_input_path(metrics, "metrics")
    source = open_source(
        folder,
        opening_of(data, **rules).open(),
        against=None if against is None else _folder(against, "against"),
        beside=[_folder(one, "beside") for one in beside],
        metrics=None if scores is None else open_metrics(scores),
        prompt=prompt,
        queue=queue,
    )
    opened = (None, None) if model_folder is None else open_model(source, model_folder)
    corrections = corrections_beside(kept_in)
    return OpenedReview.of(source, reviewer, kept_in, corrections, opened, from_empty, spoken)


def _folder(run: GivenRun, name: str) -> Path:
    return run.folder if isinstance(run, Run) else input_path(run, name)
