"""The stamp of a demonstration on figures."""

from matplotlib.figure import Figure

from helpers.core.watermark import stamp_text

_MARK = "vesselkit-stamp"
_LEAST_POINTS, _POINTS_AN_INCH = 8.0, 0.65


def stamped(figure: Figure, *carried: str | None) -> Figure:
    """The figure, with the stamp in its lower right corner where there is one. Stamping twice stamps once.

    Args:
        carried: as for `helpers.core.watermark.stamp_text`.
    """
    text = stamp_text(*carried)
    if text and all(one.get_gid() != _MARK for one in figure.texts):
        size = max(_LEAST_POINTS, _POINTS_AN_INCH * figure.get_figwidth())  # wide pictures are shown smaller
        figure.text(
            0.995, 0.004, text, ha="right", va="bottom", fontsize=size, color="0.35", parse_math=False, gid=_MARK
        )
    return figure
