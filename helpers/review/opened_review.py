"""A review that was opened: the viewer in a notebook, and the page where there is none."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from helpers.core.vocabulary import Language, QueueOrder
from helpers.review.corrections.anchoring import drawn_first
from helpers.review.corrections.carrying import CarriesMasks
from helpers.review.corrections.clicking import Clicking
from helpers.review.corrections.reviewed import ReviewedCorrections
from helpers.review.corrections.store import CorrectionStore
from helpers.review.corrections.unseen import UnseenPredictions
from helpers.review.page import write_page
from helpers.review.review_source import ReviewSource
from helpers.review.session import ReviewSession
from helpers.review.verdicts import VerdictStore
from helpers.review.viewer_facts import in_language

# JupyterLab keeps a widget's output, but no widget outlives its kernel. The viewer's style sheet hides this text, and
# this one hides what JupyterLab says of a widget that is gone: text alone, without an element.
_PLACE_TEXT = (
    "No viewer below? Run all cells again (menu Run, Run All Cells). Every verdict is kept, and every correction saved."
)
_PLACE = """\
<style>.jp-OutputArea:has(.vesselkit-place) .jp-OutputArea-output:not(:has(*)) {{ display: none; }}</style>
<p class="vesselkit-place">{text}</p>"""


@dataclass(frozen=True)
class OpenedReview:
    """The cases of a run and what a reviewer says of them.

    Attributes:
        source: the run, its data set and scores.
        session: the queue of cases, and the verdicts of one reviewer.
        corrections: of all readers, kept beside the verdicts.
        clicking: what answers clicks; None without a model.
        carrier: what carries corrections through sequences; None without a model.
        drawn_first: ids of cases that the reviewer draws from empty before their prediction is shown.
        language: that viewer and page begin in.
    """

    source: ReviewSource = field(repr=False)
    session: ReviewSession = field(repr=False)
    corrections: ReviewedCorrections = field(repr=False)
    clicking: Clicking | None = field(default=None, repr=False, kw_only=True)
    carrier: CarriesMasks | None = field(default=None, repr=False, kw_only=True)
    drawn_first: frozenset[str] = field(default=frozenset(), repr=False, kw_only=True)
    language: Language = field(default=Language.ENGLISH, repr=False, kw_only=True)

    @property
    def to_draw_first(self) -> frozenset[str]:
        """Ids of the cases whose prediction the reviewer is not to see yet."""
        return UnseenPredictions.left_of(self.drawn_first, self.session, self.corrections).drawn_first

    @classmethod
    def of(
        cls,
        source: ReviewSource,
        reviewer: str,
        verdicts: Path,
        corrections: Path,
        model: tuple[Clicking | None, CarriesMasks | None] = (None, None),
        from_empty: float = 0,
        language: Language = Language.ENGLISH,
        **further: Any,
    ) -> Self:
        """The review of a source by one reviewer.

        Args:
            verdicts, corrections: folders that these are kept in, by all reviewers.
            model: what answers clicks and what carries corrections.
            from_empty: share of the cases to draw first, see `drawn_first`.
            language: see the attribute.
            further: attributes that a review of this kind has beside.
        Raises:
            RefusedInput: for verdicts or corrections that cannot be read.
        """
        fingerprints, store = source.fingerprints, VerdictStore(verdicts)
        session = ReviewSession(
            source.cases, store, reviewer, source.run, source.prompt, source.lower_is_better, fingerprints[1:]
        )
        return cls(
            source=source,
            session=session,
            corrections=ReviewedCorrections(source, CorrectionStore(corrections)),
            clicking=model[0],
            carrier=model[1],
            drawn_first=drawn_first(source, from_empty, reviewer),
            language=language,
            **further,
        )

    def show(self) -> None:
        """Display the viewer, and in its place what to run where there is none, as in a notebook opened anew."""
        from IPython.display import display  # here, since a page needs no Jupyter

        from helpers.review.widget import ReviewWidget

        text = in_language(_PLACE_TEXT, self.language)
        display({"text/html": _PLACE.format(text=text), "text/plain": text}, raw=True)
        widget = ReviewWidget(
            self.source,
            self.session,
            self.corrections,
            self.clicking,
            self.carrier,
            self.drawn_first,
            self.language,
        )
        display(widget)

    def _ipython_display_(self) -> None:
        """What a notebook shows of a cell that ends in the review."""
        self.show()

    def page(self, path: Path | str, most: int | None = None) -> Path:
        """Write the page that needs no server, with the verdicts and corrections so far; it opens in a browser.

        Cases that the reviewer is to draw before their prediction is shown are not in it.

        Args:
            path: of an HTML file; an earlier page is replaced.
            most: cases to take, the worst first where there are scores; None for all.
        Raises:
            UsageProblem, RefusedInput: as `helpers.review.page.write_page`.
        """
        self.session.reload()
        if "dice" in self.source.metric_names:
            self.session.arrange(QueueOrder.WORST)
        hidden, records = self.to_draw_first, self.session.records
        cases = [case_id for case_id in self.session.queue if case_id not in hidden][:most]
        corrections = self.corrections.store
        return write_page(
            self.source, Path(path), case_ids=cases, records=records, corrections=corrections, language=self.language
        )
