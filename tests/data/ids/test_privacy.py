"""Names, numbers and dates of patients are noticed; plain names are not."""

import pytest

from helpers.data.ids.privacy import header_signs, may_name_a_person, name_signs


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Mueller_Anna_034.png", "a family and a given name"),
        ("Mueller_A/034.png", "a family and a given name"),
        ("smith_john_01.png", "a family and a given name"),
        ("P1/MUELLER-ANNA.png", "a family and a given name"),
        ("müller anna 3.png", "a family and a given name"),
        ("images/case_smith_john_01.png", "a family and a given name"),
        ("x (1234567)/1.png", "a number in brackets"),
        ("MUELLER^ANNA.dcm", "a DICOM person name (^)"),
        ("x_2024-01-31.png", "a date"),
        ("x_20240131_1.png", "a date"),
        ("31.01.1950.png", "a date"),
        ("0012345678.png", "a long number"),
        ("lee@lab.org.png", "an e-mail address"),
    ],
)
def test_signs_are_told_by_their_kind(name, kind):
    assert kind in name_signs(name)


@pytest.mark.parametrize(
    "name",
    [
        "images/case_001.png",
        "P12_S3_045.png",
        "im0001.ah.ppm",
        "Image_01L.jpg",
        "003_PPA_-29_PSA_29_2.png",
        "01_dr.JPG",
        "left_coronary_01.png",
        "images/RCA-proximal-view.png",
        "train/ground_truth/vessel_mask.png",
        "lao_frame_001.png",
        "lca/smith.png",
        "vessel@2x.png",
        "test_image.ah.ppm",
        "aortic_root_without_contrast.png",
    ],
)
def test_plain_names_have_none(name):
    assert name_signs(name) == ()


def test_views_and_vendors_are_no_persons():
    plain = ("RAO cranial", "Left Main", "LAO 30 caudal", "Siemens Healthineers", "Philips Medical Systems", "spider")
    assert not any(map(may_name_a_person, plain))
    assert all(map(may_name_a_person, ("Jane Doe", "doe, jane", "DOE^JANE", "by lee@lab.org", "1950-01-31")))


def test_an_image_has_no_header(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    assert header_signs(tmp_path / "a.png") == ((), None)
