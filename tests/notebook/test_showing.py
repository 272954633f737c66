"""Tables in notebooks lose nothing, and what they hold is text; pictures say what is seen."""

import re
from unittest.mock import patch

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure

from helpers.core.watermark import VARIABLE
from helpers.notebook import showing
from helpers.notebook.showing import show_and_save, show_figure, show_headline, show_picture, show_tables
from helpers.review.figures.figure_file import save_figure


@pytest.fixture(autouse=True)
def _unsaid(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def shown(*tables):
    """What is displayed of each: its HTML and its plain text."""
    with patch.object(showing, "display") as display:
        show_tables(*tables)
    found = [call.args[0] for call in display.call_args_list]
    assert all(call.kwargs == {"raw": True} for call in display.call_args_list)
    return [(data["text/html"], data["text/plain"]) for data in found]


def shown_headline(*given):
    with patch.object(showing, "display") as display:
        show_headline(*given)
    return display.call_args[0][0]


def test_long_texts_stay_whole_and_missing_values_are_blank():
    note = "a long note " * 20
    (both,) = shown(pd.DataFrame({"note": [note, None], "count": pd.array([1, None], dtype="Int64")}))
    for text in both:
        assert note.strip() in text
        assert "NaN" not in text and "<NA>" not in text and "None" not in text


def test_row_numbers_are_left_out_and_markup_is_text():
    ((html, text),) = shown(pd.DataFrame({"<i>": ["<b>a</b>", "$x$"]}, index=[4711, 4712]))
    assert "4711" not in html + text and "<b>a</b>" in text
    assert "&lt;b&gt;a&lt;/b&gt;" in html and "&lt;i&gt;" in html and "<b>" not in html
    assert "tex2jax_ignore" in html  # else JupyterLab takes what stands between dollars for a formula


def test_texts_begin_at_the_left_and_numbers_end_at_the_right():
    ((html, _),) = shown(pd.DataFrame({"n": [1, None], "words": ["<td>", ""], "empty": ["", None]}))
    cells = re.findall(r"<t[hd]( [^>]*)?>", html)
    assert cells == ["", ' style="text-align: left"', ""] * 3
    assert "&lt;td&gt;" in html


def test_of_a_long_table_the_ends_stand_there():
    (_, long), (_, whole) = shown(pd.DataFrame({"n": range(1000, 1201)}), pd.DataFrame({"n": range(1000, 1200)}))
    assert long.split() == ["n", *map(str, range(1000, 1010)), "...", *map(str, range(1191, 1201))]
    assert len(whole.split()) == 201


def test_the_stamp_stands_above_as_text(monkeypatch):
    monkeypatch.setenv(VARIABLE, "<b>tiny")
    ((html, text),) = shown(pd.DataFrame({"n": [1]}))
    assert html.startswith("<p><em>&lt;b&gt;tiny</em></p>") and text.startswith("<b>tiny\n")


def test_a_headline_is_never_without_its_warnings(monkeypatch):
    data = shown_headline("<model>: Dice 0.8", ["few & far"])
    assert "&lt;model&gt;: Dice 0.8" in data["text/html"] and "<li>WARNING: few &amp; far</li>" in data["text/html"]
    assert data["text/plain"] == "<model>: Dice 0.8\nWARNING: few & far"
    assert "<ul>" not in shown_headline("x")["text/html"]
    monkeypatch.setenv(VARIABLE, "synthetic <b>")
    assert shown_headline("x")["text/html"].startswith("<p><em>synthetic &lt;b&gt;</em></p>")
    assert shown_headline("x")["text/plain"] == "synthetic <b>\nx"


def test_pictures_carry_what_is_seen(tmp_path):
    figure = Figure(figsize=(2, 1))
    figure.suptitle("Dice by patient")
    path, _ = save_figure(figure, tmp_path, "a")
    with patch.object(showing, "display") as display:
        show_figure(figure)
        show_picture(path, "what the file shows")
    for call, seen in zip(display.call_args_list, ("Dice by patient", "what the file shows"), strict=True):
        data, metadata = DisplayFormatter().format(call.args[0])
        assert "image/png" in data and metadata["image/png"]["alt"] == seen


def test_figures_are_saved_under_their_names_and_shown_in_order(tmp_path):
    figures = {"second": Figure(), "first": Figure()}
    with patch.object(showing, "show_figure") as shown_figure:
        show_and_save(figures, tmp_path / "figures")
    assert [call.args[0] for call in shown_figure.call_args_list] == list(figures.values())
    assert {path.stem for path in (tmp_path / "figures").glob("*.svg")} == {"first", "second"}
    assert (tmp_path / "figures/first.png").is_file()
