"""The order in which BPE merges pairs of pieces: sentencepiece's, by score, as a list, which `tokenizers` takes.

sentencepiece merges, again and again, the neighbours whose joined text is the piece with the highest score, the left
ones where two have it. `tokenizers` takes the pair that comes first in its list. Both give the same pieces where each
piece has a score of its own, or pairs of one score can be put in an order that holds wherever they stand.
"""

import itertools
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from helpers.checkpoints.read.sentencepiece_model import Piece, PieceKind
from helpers.core.errors import RefusedInput

Merge = tuple[str, str]

_NO_ORDER = "what is merged first depends on where they stand, and tokenizer.json has one order for all places"


def ordered_merges(pieces: Iterable[Piece], origin: Path) -> tuple[list[Merge], list[str]]:
    """Pairs of pieces in the order of merging.

    Args:
        pieces: by id; normal ones alone are merged.
        origin: the file, for messages.
    Returns:
        The pairs, and the pieces that sentencepiece would make of characters without a piece of their own, which
        `tokenizers` spells in bytes before it merges.
    Raises:
        RefusedInput: where several pieces have one score, so that no list orders their pairs.
    """
    normal = [piece for piece in pieces if piece.kind is PieceKind.NORMAL]
    known = {piece.text for piece in normal}
    unreached: list[str] = []
    by_score: dict[float, list[Merge]] = {}
    for piece in normal:
        splits = [(piece.text[:cut], piece.text[cut:]) for cut in range(1, len(piece.text))]
        # A part of one character may be merged without having a piece.
        made = [split for split in splits if all(part in known or len(part) == 1 for part in split)]
        listed = [split for split in made if known.issuperset(split)]
        if len(listed) < len(made):
            unreached.append(piece.text)
        by_score.setdefault(piece.score, []).extend(listed)
    _require_fixed_order(by_score, {piece.text: piece.score for piece in normal}, origin)
    ordered = [_left_first(by_score[score], origin) for score in sorted(by_score, reverse=True)]
    return list(itertools.chain.from_iterable(ordered)), unreached


def _require_fixed_order(by_score: Mapping[float, list[Merge]], scores: Mapping[str, float], origin: Path) -> None:
    """Stop where one of several pieces with one score goes on to a piece that is not after them: places decide then."""
    tied = {score for score, merges in by_score.items() if len({first + second for first, second in merges}) > 1}
    for score, merges in by_score.items():
        for merge in merges:
            for part in merge:
                if len(part) > 1 and scores[part] in tied and score >= scores[part]:
                    raise RefusedInput(
                        f"{origin}: {part!r} has the score {scores[part]} of other pieces too, and {''.join(merge)!r}, "
                        f"which it is merged into, no lower one; {_NO_ORDER}"
                    )


def _left_first(tied: list[Merge], origin: Path) -> list[Merge]:
    """Pairs of one score, ordered so that of two that overlap in a text, `x y z`, the left one comes first."""
    if len(tied) < 2:
        return tied
    by_left: dict[str, list[Merge]] = {}
    for merge in tied:
        by_left.setdefault(merge[0], []).append(merge)
    before: dict[Merge, list[Merge]] = {merge: [] for merge in tied}
    for merge in tied:
        for later in by_left.get(merge[1], ()):
            if later != merge and (not _is_run(merge, later) or len(merge[0]) > len(merge[1])):
                before[later].append(merge)
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        pairs = " and ".join(" + ".join(map(repr, pair)) for pair in error.args[1][:2])
        raise RefusedInput(f"{origin}: the pairs {pairs} have one score; {_NO_ORDER}") from error


def _is_run(merge: Merge, later: Merge) -> bool:
    """Whether both pairs cut one run, as `aa a` and `a aa` do. Paired from the left, a run ends in its shorter part."""
    return later == (merge[1], merge[0]) and merge[0] + merge[1] == later[0] + later[1]
