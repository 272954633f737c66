"""The viewer in a notebook: an anywidget component that asks the kernel for cases, and hands it what reviewers do."""

from typing import Any

import anywidget
import traitlets

from helpers.core.errors import VesselkitError, in_words
from helpers.review.corrections.clicking import Clicking
from helpers.review.corrections.drawn import DrawnCorrection
from helpers.review.corrections.reviewed import ReviewedCorrections
from helpers.review.review_source import ReviewSource
from helpers.review.session import ReviewSession
from helpers.review.verdicts import VerdictRecord
from helpers.review.viewer_facts import review_facts, viewer_module, viewer_style


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
    ) -> None:
        weights = None if clicking is None else clicking.weights
        super().__init__(facts=review_facts(source, session.records, corrections, weights), reviewer=session.reviewer)
        self._source, self._session, self._corrections, self._clicking = source, session, corrections, clicking
        self.on_msg(lambda _, content, buffers: self.send(self.answer(content)))

    def answer(self, asked: Any) -> dict[str, Any]:
        """The reply to a message of the viewer: with its ticket, and `error` where it could not be done.

        Args:
            asked: `ticket`, and `kind` `load` with `case_id`, `save` with `record`, `correct` with `drawn`, or
                `click` as `Clicking.reply` takes it.
        """
        ticket = asked.get("ticket") if isinstance(asked, dict) else None
        try:
            match asked:
                case {"kind": "load", "case_id": str(case_id)}:
                    self._corrections.reload()
                    corrected = {"corrected": self._corrections.masks(case_id)}
                    return {"ticket": ticket, "payload": self._source.view(case_id).to_json() | corrected}
                case {"kind": "save", "record": record}:
                    kept = self._session.add(VerdictRecord.from_json(record))
                    # Of no use to the page that sent it, so nothing is sent; a page that is loaded again asks for all.
                    self.facts["verdicts"].append(kept.to_json())
                    return {"ticket": ticket}
                case {"kind": "correct", "drawn": drawn}:
                    self._corrections.keep(DrawnCorrection.from_json(drawn), self._session.reviewer)
                    self.facts["corrections"][:] = self._corrections.facts()
                    return {"ticket": ticket}
                case {"kind": "click"} if self._clicking is not None:
                    return {"ticket": ticket, **self._clicking.reply(asked)}
                case _:
                    return {"ticket": ticket, "error": "expected a case to load, or a record or mask to save"}
        except OSError as error:
            words = in_words(error)
            said = str(error) if words is None else f"{words.found}. {words.advice}, then save again"
            return {"ticket": ticket, "error": said}
        except (VesselkitError, ValueError) as error:
            return {"ticket": ticket, "error": str(error)}
