"""A figure in words: what is drawn there, and no more."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from helpers.evaluation.score_table import summary
from helpers.review.figures.panels import GroundTruth, PanelCase, contact_sheet
from helpers.review.figures.score_figures import headline_figure
from helpers.review.figures.style import description
from helpers.review.figures.training_figures import training_curves
from tests.review.figures.test_score_figures import of_patients


def test_a_plot_is_told_by_its_headings_axes_and_legend():
    figure = Figure()
    figure.suptitle("A heading\na note")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], label="model")
    left.set(xlabel="threshold", ylabel="Dice")
    left.legend()
    right.text(0.5, 0.5, "no\nlogits")
    assert description(figure) == "A heading, a note. Dice over threshold; no logits. legend: model"


def test_pictures_are_told_case_by_case():
    case = PanelCase(Image.new("L", (3, 2)), GroundTruth(np.eye(2, 3, dtype=bool)), None, "P1-F2", "failed")
    told = description(contact_sheet([case, case], heading="Worst cases"))
    row = "P1-F2 | failed: Original; Ground truth; Prediction: no prediction: failed; Overlay"
    assert told.startswith(f"Worst cases. {row}. {row}. legend: ground truth, prediction, missed (truth only)")


def test_the_headline_has_its_numbers():
    told = description(headline_figure({"model": summary(of_patients([8, 10]))}, "of two patients"))
    assert told.startswith("Headline: mean of patient means, 95 % intervals: none, of two patients, 4 cases")
    assert "Dice 0.944, IoU" in told and told.endswith(" (median 1.000). legend: model")


def test_every_figure_has_words_and_a_long_one_ends_in_time():
    assert description(Figure()) == "an empty figure"
    assert "loss" in description(training_curves(pd.DataFrame({"run": "a", "step": [1, 2], "loss": [2.0, 1.0]})))
    figure = Figure()
    figure.suptitle("word " * 400)
    assert description(figure).endswith("word ...") and len(description(figure)) <= 600
