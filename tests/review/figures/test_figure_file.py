"""Figures as files: equal bytes for an equal figure, and nothing but the picture in them."""

import io
import xml.etree.ElementTree as ET

import pytest
from matplotlib.figure import Figure
from PIL import Image

from helpers.core.watermark import VARIABLE
from helpers.review.figures.figure_file import png_bytes, save_figure, stamped, svg_bytes


def made() -> Figure:
    figure = Figure(figsize=(2, 1))
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1])
    axis.imshow([[0.0, 1.0]], extent=(0, 1, 0, 1))
    axis.set_title("case_0001")
    return figure


def test_equal_figures_give_equal_bytes():
    assert svg_bytes(made()) == svg_bytes(made())


def test_both_files_hold_the_picture_alone(tmp_path):
    png, svg = save_figure(made(), tmp_path / "figures", "headline")
    assert [png.name, svg.name] == ["headline.png", "headline.svg"]
    with Image.open(io.BytesIO(png.read_bytes())) as image:
        image.load()
        assert set(image.info) <= {"dpi"} and image.width > image.height
    content = svg.read_bytes()
    assert ET.fromstring(content).tag.endswith("svg")
    for word in (b"dc:date", b"Matplotlib", b"matplotlib.org", str(tmp_path).encode(), b"/usr/", b"font-family"):
        assert word not in content


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
