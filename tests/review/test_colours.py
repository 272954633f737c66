"""The overlay's colours stay apart for every common form of colour vision, and texts stand out from their ground."""

import json
import re
from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from helpers.review.figures.panels import COLOUR_BLIND_SAFE
from helpers.review.viewer_facts import viewer_module, viewer_style

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
OPACITY = 0.6  # of the viewer at its start
WELL_APART, APART = 10, 6  # areas; a thin line that is asked for. A CIEDE2000 of 2 is just seen side by side


def linear(rgb):
    rgb = np.asarray(rgb, float)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def encoded(rgb):
    rgb = np.clip(rgb, 0, 1)
    return np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)


def as_seen(rgb, vision):
    """L*a*b* of a colour under a form of vision."""
    return rgb2lab(encoded(np.asarray(VISION[vision]) @ linear(rgb)))


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("grey", [0.15, 0.4, 0.7])
def test_missed_false_and_both_stay_apart(vision, grey):
    palette = COLOUR_BLIND_SAFE
    shown = [OPACITY * np.array(one) + (1 - OPACITY) * grey for one in (palette.missed, palette.false, palette.both)]
    shown.append(np.full(3, grey))
    seen = [as_seen(one, vision) for one in shown]
    for first, second in combinations(seen, 2):
        assert deltaE_ciede2000(first, second) > WELL_APART
    missed = np.array(json.loads(re.search(r"const MISS = (\[.*?\]);", viewer_module())[1])) / 255
    centreline = as_seen(OPACITY * missed + (1 - OPACITY) * grey, vision)
    for one in seen:
        assert deltaE_ciede2000(centreline, one) > APART


def test_texts_stand_out_from_their_ground():
    colours = dict(re.findall(r"--(\w+): (#\w{6});", viewer_style()))
    parts = {name: [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)] for name, text in colours.items()}
    light = {name: linear(rgb) @ [0.2126, 0.7152, 0.0722] for name, rgb in parts.items()}
    for text in ("ink", "dim", "accept", "fix", "reject", "accent"):
        for ground in ("ground", "card"):
            assert (light[text] + 0.05) / (light[ground] + 0.05) > 4.5, (text, ground)
