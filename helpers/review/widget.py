"""The viewer in a notebook: an anywidget component that asks the kernel for cases, and hands it what reviewers do."""

import logging
from dataclasses import asdict
from typing import Any

import anywidget
import traitlets

from helpers.core.errors import RefusedInput, VesselkitError, in_words
from helpers.core.progress import Bar, Silent, shown_on
from helpers.core.vocabulary import BeganFrom, Language
from helpers.review.corrections.carrying import CarriedMasks, CarriesMasks
from helpers.review.corrections.clicking import Clicking
from helpers.review.corrections.drawn import DrawnCorrection
from helpers.review.corrections.reviewed import ReviewedCorrections
from helpers.review.corrections.unseen import UnseenPredictions
from helpers.review.payload import packed, without_predictions
from helpers.review.review_source import ReviewSource
from helpers.review.session import ReviewSession
from helpers.review.verdicts import VerdictRecord
from helpers.review.viewer_facts import review_facts, viewer_module, viewer_style

logger = logging.getLogger(__name__)


class _ToldBars(Silent):
    """Bars of what a viewer asked for, which it shows itself."""

    def __init__(self, widget: "ReviewWidget", ticket: Any) -> None:
        self._widget, self._ticket = widget, ticket

    def begun(self, bar: Bar) -> None:
        self.moved(bar)

    def moved(self, bar: Bar) -> None:
        self._widget.send({"ticket": self._ticket, "progress": [bar.done, bar.total]})


class ReviewWidget(anywidget.AnyWidget):
    """The review of `source`.

    Verdicts go through `session`, and masks through `corrections`, to the disk before the browser is told that they are
    kept.

    Attributes:
        facts: as `review_facts` gives them, with the verdicts and corrections since; the cases follow one by one, as
            they are asked for.
        reviewer: whose verdicts and corrections these are.
    """

    _esm = viewer_module()
    _css = viewer_style()
    facts = traitlets.Dict().tag(sync=True)
    reviewer = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        source: ReviewSource,
        session: ReviewSession,
        corrections: ReviewedCorrections,
        clicking: Clicking | None = None,
        carrier: CarriesMasks | None = None,
        drawn_first: frozenset[str] = frozenset(),
        language: Language = Language.ENGLISH,
    ) -> None:
        """Make it.

        Args:
            drawn_first: ids of cases that the reviewer draws from empty before a prediction of them is sent.
            language: that the viewer begins in.
        """
        weights = None if clicking is None else clicking.weights
        carried = CarriedMasks(source, corrections.store, session.reviewer)
        self._unseen = UnseenPredictions.left_of(drawn_first, session, corrections)
        to_draw = self._unseen.drawn_first
        facts = review_facts(source, session.records, corrections, weights, carried.waiting(), to_draw, language)
        super().__init__(facts=facts, reviewer=session.reviewer)
        self._source, self._session, self._corrections, self._clicking = source, session, corrections, clicking
        self._carried, self._carrier = carried, carrier
        self.on_msg(lambda _, content, buffers: self.send(self.answer(content)))

    def answer(self, asked: Any) -> dict[str, Any]:
        """The reply to a message of the viewer: with its ticket, and `error` where it could not be done.

        Args:
            asked: `ticket`, and `kind` `load` with `case_id`, `save` with `record`, `correct` with `drawn`, `standing`
                with the `case_id` of corrections that others may have kept meanwhile, `click` as `Clicking.reply` takes
                it, `carry` with the `case_id` of a correction, or `dismiss` with that of a carried mask.
        """
        ticket = asked.get("ticket") if isinstance(asked, dict) else None
        try:
            match asked:
                case {"kind": "load", "case_id": str(case_id)}:
                    return {"ticket": ticket, "payload": self._payload(case_id)}
                case {"kind": "standing", "case_id": str(case_id)}:
                    return {"ticket": ticket, **self._standing(case_id), "waiting": list(self._carried.waiting())}
                case {"kind": "save", "record": record}:
                    kept = self._session.add(VerdictRecord.from_json(record))
                    # Of no use to the page that sent it, so nothing is sent; a page that is loaded again asks for all.
                    self.facts["verdicts"].append(kept.to_json())
                    return {"ticket": ticket}
                case {"kind": "correct", "drawn": drawn}:
                    given = DrawnCorrection.from_json(drawn)
                    unseen = self._unseen.is_unseen(given.record.case_id)
                    self._corrections.keep(given, self._session.reviewer, unseen=unseen)
                    self.facts["corrections"][:] = self._corrections.facts()
                    self.facts["waiting"][:] = self._carried.waiting()
                    return {"ticket": ticket, "waiting": self.facts["waiting"]}
                case {"kind": "click"} if self._clicking is not None:
                    return {"ticket": ticket, **self._clicking.reply(asked)}
                case {"kind": "carry", "case_id": str(case_id)} if self._carrier is not None:
                    with shown_on(_ToldBars(self, ticket)):
                        said = self._carried.carry(case_id, self._carrier).to_text()
                    self.facts["waiting"][:] = self._carried.waiting()
                    return {"ticket": ticket, "said": said, "waiting": self.facts["waiting"]}
                case {"kind": "dismiss", "case_id": str(case_id)}:
                    self._carried.dismiss(case_id)
                    self.facts["waiting"][:] = self._carried.waiting()
                    return {"ticket": ticket, "waiting": self.facts["waiting"]}
                case _:
                    return {"ticket": ticket, "error": "expected a case to load, or a record or mask to save"}
        except OSError as error:
            words = in_words(error)
            said = str(error) if words is None else f"{words.found}. {words.advice}, then save again"
            return {"ticket": ticket, "error": said}
        except (VesselkitError, ValueError) as error:
            return {"ticket": ticket, "error": str(error)}

    def _payload(self, case_id: str) -> dict[str, Any]:
        view, standing = self._source.view(case_id), self._standing(case_id)
        if self._hides(case_id):
            return without_predictions(view).to_json() | standing | {"drawn_first": True}
        self._unseen.sent([case_id])
        self._corrections.handed_out(case_id, view.bases.values())
        return self._with_carried(view.to_json() | standing)

    def _hides(self, case_id: str) -> bool:
        """Whether the reader is to draw a case before its prediction is sent."""
        return case_id in self._unseen.drawn_first and not self._unseen.is_drawn(case_id)

    def _standing(self, case_id: str) -> dict[str, Any]:
        """What is kept of a case now, by any window: `corrections` as in the facts, and `corrected`, their masks.

        Of a case to be drawn first the reader's own alone, since another's may have begun from the prediction.
        """
        self._corrections.reload()
        facts, masks = self._corrections.facts(case_id), self._corrections.masks(case_id)
        if self._hides(case_id):
            facts = [one for one in facts if one["reviewer"] == self._session.reviewer]
            masks = {one["id"]: masks[one["id"]] for one in facts if one["id"] in masks}
        return {"corrections": facts, "corrected": masks}

    def _with_carried(self, payload: dict[str, Any]) -> dict[str, Any]:
        """A case with the mask that was carried to it, where one waits to be looked at; a correction begins from it."""
        waiting = self._carried.waiting().get(payload["case_id"])
        if waiting is None or waiting.image_sha256 != payload["image_sha256"]:
            return payload
        try:
            mask = self._carried.mask(payload["case_id"])
        except RefusedInput as error:  # the case is shown all the same: it can be corrected from what else there is
            logger.warning("%s", error)
            return payload
        self._corrections.handed_out(payload["case_id"], [waiting.base])
        bases = {str(BeganFrom.CARRIED): asdict(waiting.base)} | payload["bases"]
        return payload | {"bases": bases, "carried": packed(mask)}
