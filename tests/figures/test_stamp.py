"""The stamp on figures of a demonstration."""

from matplotlib.figure import Figure

from helpers.figures.panels import png_bytes
from helpers.figures.stamp import VARIABLE, stamp_text, stamped


def test_there_is_none_unless_the_environment_says_so(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert stamp_text() is None
    assert stamped(Figure()).texts == []


def test_it_is_drawn_once_on_every_figure(monkeypatch):
    plain = png_bytes(Figure())
    monkeypatch.setenv(VARIABLE, "synthetic, tiny model")
    figure = Figure()
    assert png_bytes(figure) != plain
    png_bytes(figure)
    assert [text.get_text() for text in figure.texts] == ["synthetic, tiny model"]
