"""The stamp on figures of a demonstration."""

import pytest
from matplotlib.figure import Figure

from helpers.core.watermark import VARIABLE
from helpers.review.figures.figure_watermark import stamped
from helpers.review.figures.panels import png_bytes


@pytest.fixture(autouse=True)
def _unsaid(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def texts(figure):
    return [text.get_text() for text in figure.texts]


def test_a_figure_of_ones_own_has_none():
    assert texts(stamped(Figure())) == texts(stamped(Figure(), None)) == []


def test_it_is_drawn_once_on_every_figure(monkeypatch):
    plain = png_bytes(Figure())
    monkeypatch.setenv(VARIABLE, "synthetic, tiny model")
    figure = Figure()
    assert png_bytes(figure) != plain
    png_bytes(figure)
    assert texts(figure) == ["synthetic, tiny model"]


def test_what_runs_carry_stands_there_once_and_is_no_formula(monkeypatch):
    monkeypatch.setenv(VARIABLE, "here")
    figure = stamped(Figure(), "$x", None)
    png_bytes(figure)
    assert texts(figure) == ["here; $x"] and not figure.texts[0].get_parse_math()
