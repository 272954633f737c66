"""Figures of training and of change: what the axes hold, and that empty ones say so."""

import math

import numpy as np
import pandas as pd

from helpers.review.figures.figure_file import png_bytes
from helpers.review.figures.training_figures import change_norms, training_curves

COLUMNS = ("layer", "module", "relative")


def table(*rows):
    return pd.DataFrame(rows, columns=COLUMNS).astype({"layer": "Int64", "relative": "float64"})


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_changes_by_layer_and_by_module():
    found = table(
        (0, "q_proj", 0.5), (1, "q_proj", 0.25), (0, "v_proj", 0.1), (1, "v_proj", 0.0),
        (None, "lm_head", 0.5), (None, "embed_tokens", 0.0), (None, "new", math.nan),
    )  # fmt: skip
    figure = change_norms(found)
    layers, parts = figure.axes
    curves = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in layers.lines}
    assert curves == {"q_proj": ([0, 1], [0.5, 0.25]), "v_proj": ([0], [0.1])}
    assert [bar.get_width() for bar in parts.patches] == [0.5] and texts(parts) == ["0.5"]
    assert (
        layers.get_title() == "language layers (unchanged: 1)" and parts.get_title() == "other modules (unchanged: 1)"
    )
    assert layers.get_yscale() == parts.get_xscale() == "log"
    assert png_bytes(figure).startswith(b"\x89PNG")


def test_empty_change_panels_say_why():
    layers, parts = change_norms(table((None, "lm_head", 0.0))).axes
    assert texts(layers) == ["no language layer\nhas a counterpart in the base"] and texts(parts) == ["nothing changed"]


def test_training_curves_of_one_run():
    log = pd.DataFrame(
        {"run": "r", "step": [10, 20, 30], "loss": [2.0, np.nan, 1.0], "loss_mask": 0.5, "lr": [1e-4, 5e-5, 0.0]}
    )
    loss, rate = training_curves(log).axes
    curves = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in loss.lines}
    assert curves["loss"] == ([10, 30], [2.0, 1.0]) and set(curves) == {"loss", "loss_mask"}
    assert list(rate.lines[0].get_ydata()) == [1e-4, 5e-5, 0.0] and loss.get_yscale() == "log"


def test_runs_are_told_apart():
    log = pd.DataFrame({"run": ["a", "b"], "step": [1, 1], "loss": [2.0, 1.0]})
    loss, rate = training_curves(log).axes
    assert [line.get_label() for line in loss.lines] == ["loss, run a", "loss, run b"]
    assert texts(rate) == ["no learning rate\nin a training log"]


def test_no_log_gives_a_figure_that_says_so():
    figure = training_curves(pd.DataFrame(columns=["run", "step"]))
    assert [texts(axis) for axis in figure.axes] == [
        ["no loss\nin a training log"],
        ["no learning rate\nin a training log"],
    ]
    assert png_bytes(figure).startswith(b"\x89PNG")
