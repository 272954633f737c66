"""Frames that tests of prediction predict."""

import pytest

from tests.support.drawn_frames import draw_frames
from tests.support.plain_predictor import MARKS


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return draw_frames(folder, MARKS)
