"""What a figure shows, in words, for those who cannot see it: the alternative text of its picture."""

from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

_MOST_LETTERS = 600
_MOST_NAMES = 12


def description(figure: Figure) -> str:
    """The headings, panels, axes, legends and written numbers of a figure, as one line of text.

    It is read off the figure, so that it says what is drawn there; of a long one the beginning.
    """
    heading = _heading(figure)
    parts = [heading] if heading else []
    for row in figure.subfigs:
        parts.append(": ".join(filter(None, [_heading(row), _panels(row.axes)])))
    if not figure.subfigs:
        parts.append(_panels(figure.axes))
    legends = [legend for holder in (figure, *figure.axes) for legend in _legends(holder)]
    parts += [f"legend: {', '.join(dict.fromkeys(legends))}"] if legends else []
    parts += [_plain(one.get_text()) for one in figure.texts if one.get_text() != figure.get_suptitle()]
    text = ". ".join(filter(None, parts)) or "an empty figure"
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 4].rsplit(' ', 1)[0]} ..."


def _heading(figure: FigureBase) -> str:
    return ", ".join(filter(None, map(_plain, figure.get_suptitle().splitlines())))


def _panels(panels: list[Axes]) -> str:
    return "; ".join(filter(None, map(_panel, panels)))


def _panel(axis: Axes) -> str:
    """`Dice over threshold (probability)`, or the title of a picture, and what is written inside."""
    title, up, across = (_plain(text) for text in (axis.get_title(), axis.get_ylabel(), axis.get_xlabel()))
    shown = title or ("a picture" if axis.images else "")
    measured = f"{up} over {across}" if up and across else up or across
    written = [_plain(text.get_text()) for text in axis.texts]
    ticks = [] if axis.images else list(_names(axis))
    beside = [f"{name} {value}" for name, value in zip(ticks, written, strict=True)] if ticks and (
        len(ticks) == len(written)
    ) else [*([", ".join(ticks)] if ticks else []), *written]  # fmt: skip
    return ": ".join(filter(None, [shown, measured, ", ".join(filter(None, beside))]))


def _names(axis: Axes) -> Iterator[str]:
    """Words at the ticks, such as metrics or modules; numbers say nothing without the eye."""
    for side in (axis.yaxis, axis.xaxis):
        names = [_plain(tick.get_text()) for tick in side.get_ticklabels()]
        words = [name for name in names if any(letter.isalpha() for letter in name)]
        yield from words[:_MOST_NAMES]


def _legends(holder: Figure | Axes) -> Iterator[str]:
    found = holder.legends if isinstance(holder, Figure) else filter(None, [holder.get_legend()])
    for legend in found:
        yield from (_plain(text.get_text()) for text in legend.get_texts())


def _plain(text: str) -> str:
    return " ".join(text.split())
