"""What a frame is predicted again under, to see how far the answers differ: which kinds there are, what they cost."""

import logging
import re
from collections.abc import Iterable, Sequence

from helpers.core.errors import UsageProblem
from helpers.core.given_values import Spelling
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Ensemble

logger = logging.getLogger(__name__)

_FLIPPED_PASSES = 4  # as it is, mirrored either way, and both ways

_SIDES = re.compile(
    r"\b(?:left|right|upper|lower|upwards?|downwards?|top|bottom|superior|inferior|lad|lca|lcx|lmca|rca)\b"
    r"|[左右]|[上下][方段部]",
    re.IGNORECASE,
)


def parse_ensemble(text: str | None, name: str = "ensemble") -> tuple[Ensemble, ...]:
    """The kinds of members that a text such as `flips,prompts` names, in one order; () for None and for no text.

    Raises:
        UsageProblem: for another word, one that comes twice, or both kinds of flips.
    """
    words = [word.strip() for word in (text or "").split(",")] if text else []
    known = [kind.value for kind in Ensemble]
    for word in words:
        if word not in known:
            raise UsageProblem(f"{name}: expected some of {', '.join(known)} with commas between, got {word!r}")
    kinds = tuple(kind for kind in Ensemble if kind.value in words)
    if len(kinds) < len(words) or sum(kind.flips for kind in kinds) > 1:
        raise UsageProblem(f"{name}: expected each kind once, got {text!r}")
    return kinds


def check_ensemble(kinds: Sequence[Ensemble], prompts: Sequence[str], spell: Spelling = str) -> None:
    """Raise UsageProblem where members would not be asked for the same thing.

    Args:
        prompts: of the run.
        spell: how the caller writes the name of a parameter.
    """
    if Ensemble.PROMPTS in kinds and len(prompts) < 2:
        raise UsageProblem(
            f"{spell('ensemble')} {Ensemble.PROMPTS}: compares the answers to the run's prompts, got {len(prompts)}. "
            f"Give {spell('prompt')} several times, with other words for the same"
        )
    if Ensemble.FLIPS not in kinds:
        return
    for prompt in prompts:
        side = _SIDES.search(prompt)
        if side is not None:
            raise UsageProblem(
                f"{spell('ensemble')} {Ensemble.FLIPS}: mirrors frames, and the prompt names a side ({side[0]!r}), "
                f"which is the other one there. Leave it out, or give {Ensemble.SIDED_FLIPS} if the words mean no side"
            )


def passes(kinds: Iterable[Ensemble]) -> int:
    """How many times a frame is predicted for each prompt."""
    return _FLIPPED_PASSES if any(kind.flips for kind in kinds) else 1


def tell_cost(kinds: Sequence[Ensemble], frames: int) -> None:
    """Say before long work what members cost; nothing where they cost nothing."""
    if passes(kinds) > 1:
        logger.info(
            "ensemble: %s predicted %d times each, which takes %d times as long",
            *(counted(frames, "frame"), passes(kinds), passes(kinds)),
        )
