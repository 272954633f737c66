"""Views and vendors out of DICOM headers: named as the standard has the angles, and nothing guessed."""

import numpy as np
import pytest

from helpers.data.groups.header_words import HeaderWord, header_group, view_name
from tests.support.dicom_files import angiogram, write


@pytest.mark.parametrize(
    "primary, secondary, expected",
    [
        (0, 0, "AP straight"),
        (10, -10, "AP straight"),
        (-10.1, 0, "RAO straight"),
        (10.1, 25, "LAO cranial"),
        (-30, -20, "RAO caudal"),
        (90, 0, "LAO straight"),
        (0, 10.5, "AP cranial"),
        (181, 0, None),
        (0, -91, None),
        (float("nan"), 0, None),
    ],
)
def test_the_view_of_two_angles(primary, secondary, expected):
    assert view_name(primary, secondary) == expected


BOTH = {"PositionerPrimaryAngle": "-30.5", "PositionerSecondaryAngle": "0"}


@pytest.mark.parametrize(
    "fields, expected",
    [
        (BOTH, "RAO straight"),
        (BOTH | {"PositionerMotion": "STATIC"}, "RAO straight"),
        (BOTH | {"PositionerMotion": "DYNAMIC"}, None),
        ({"PositionerPrimaryAngle": "-30.5"}, None),
        (BOTH | {"PositionerSecondaryAngle": None}, None),
        ({}, None),
    ],
)
def test_the_view_of_a_header(tmp_path, fields, expected):
    dataset = angiogram(np.zeros((4, 4), np.uint16))
    for keyword, value in fields.items():
        setattr(dataset, keyword, value)
    assert header_group(write(tmp_path / "a.dcm", dataset), HeaderWord.VIEW) == expected


def test_vendors_and_files_without_a_header(tmp_path):
    made = write(tmp_path / "a.dcm", angiogram(np.zeros((4, 4), np.uint16), Manufacturer=" Acme  Imaging"))
    assert header_group(made, HeaderWord.VENDOR) == "Acme  Imaging"
    bare = write(tmp_path / "b.dcm", angiogram(np.zeros((4, 4), np.uint16)))
    (tmp_path / "c.png").write_bytes(b"no header")
    (tmp_path / "cut.dcm").write_bytes(made.read_bytes()[:300])
    found = [header_group(path, HeaderWord.VENDOR) for path in (bare, tmp_path / "c.png", tmp_path / "cut.dcm")]
    assert found == [None, None, None]
