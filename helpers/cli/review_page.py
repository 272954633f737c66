"""`vesselkit review-page`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import Earlier, data_words, input_path, next_text, optional_input_path, output_file
from helpers.cli.options import (
    AS_FOUND,
    Cases,
    DataOptions,
    Metrics,
    PromptId,
    RunData,
    RunFolder,
    ViewerLanguage,
    source_of,
    with_data_options,
)
from helpers.core.errors import UsageProblem
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Language

_PAGE = Earlier("an earlier page of a review", lambda content: b'id="vesselkit-facts"' in content)


@with_data_options()
def review_page(
    run: RunFolder,
    data: RunData,
    output: Annotated[
        Path, typer.Option("--output", metavar="review.html", help="Page to write; replaces an earlier one.")
    ] = Path("review.html"),
    metrics: Metrics = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="RUN2", help="Run to compare with; the key b switches to it."),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option("--beside", metavar="RUN3", help="Run to show side by side. May be given again."),
    ] = None,
    prompt_id: PromptId = None,
    cases: Cases = None,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            "--verdicts",
            metavar="DIR",
            help="Folder of verdicts to show from the start, with the corrections next to it.",
        ),
    ] = None,
    language: ViewerLanguage = None,
    options: DataOptions = AS_FOUND,
) -> None:
    """Write a run's review as one HTML file that needs no server."""
    from helpers.review.corrections.reviewed import corrections_beside  # here, so that --help need not wait
    from helpers.review.corrections.store import CorrectionStore
    from helpers.review.kit_folders import require_verdicts
    from helpers.review.page import write_page
    from helpers.review.verdicts import VerdictStore

    given = optional_input_path(verdicts, "--verdicts")
    if given is not None:
        require_verdicts(given, "--verdicts")
    if output.suffix.lower() != ".html":
        raise UsageProblem(f"--output: expected a name that ends in .html, got {output.name}")
    written = output_file(output, "--output", _PAGE, data)
    source = source_of(
        run,
        options.opening(data),
        metrics,
        prompt_id,
        optional_input_path(against, "--against"),
        [input_path(one, "--beside") for one in beside or ()],
    )
    records = () if given is None else VerdictStore(given).records()
    corrections = None if given is None else CorrectionStore(corrections_beside(given))
    path = write_page(
        source,
        written,
        case_ids=cases or None,
        records=records,
        corrections=corrections,
        language=language or Language.ENGLISH,
    )
    scored = "with scores" if source.scores else "without scores" if metrics else "without scores (--metrics adds them)"
    typer.echo(f"{counted(len(cases or source.cases), 'case')}, {scored}: {path}")
    typer.echo("what a reviewer downloads from the page, FILE below, comes back with the next command")
    typed = options.typed(prompt_id=prompt_id, against=against, verdicts=verdicts or f"{run}-verdicts")
    typer.echo(next_text(["review", str(run), *data_words(data, typed | {"import": "FILE"})]))
