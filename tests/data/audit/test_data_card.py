"""A data set card: patients, splits, views and depth in numbers; what nobody told is said to be unknown."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers.data.audit.audit import audit
from helpers.data.audit.data_card import facts_text, write_card
from helpers.data.dataset import open_dataset


@pytest.fixture
def folder(tmp_path):
    """Two patients, three frames, a view for two of them, one frame of 16 bits."""
    for part in ("images", "masks"):
        (tmp_path / "set" / part).mkdir(parents=True)
    rows = ["file,patient,view"]
    for number, (patient, view) in enumerate((("DOE7", "LAO"), ("DOE7", "RAO"), ("ROE8", "LAO"))):
        grey = np.full((8, 8), number * 20 + 7, np.uint8)
        Image.fromarray(grey if number else grey.astype(np.uint16) * 100).save(tmp_path / f"set/images/a{number}.png")
        mask = Image.new("L", (8, 8))
        mask.paste(255, (2, 2, 4, 4))
        mask.save(tmp_path / f"set/masks/a{number}.png")
        rows.append(f"a{number}.png,{patient},{view}")
    (tmp_path / "set" / "table.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "set"


def test_patients_views_and_depth(folder):
    opened = open_dataset(folder, group_by="column:patient")
    report = audit(opened)
    text = facts_text(opened, report)
    for row in (
        "| patients | 2 |", "| frames of a patient | 1 to 2, median 1.5 |", "| LAO | 2 | 2 |", "| RAO | 1 | 1 |",
        "| 8 bits | 2 |", "Vendor: not told.", f"| fingerprint of the pixels | `{report.pixels_sha256}` |",
    ):  # fmt: skip
        assert row in text
    assert not any(word in text for word in ("DOE", "ROE", "P001", "a0.png", str(folder)))


@pytest.mark.parametrize("cell", ["Jane Doe", "doe, jane", "lee@lab.org", "/data/a", "C:\\a", "~lee"])
def test_a_view_that_may_name_somebody_or_a_place_is_left_out(folder, cell):
    table = folder / "table.csv"
    table.write_text(table.read_text().replace("LAO", f'"{cell}"'))
    opened = open_dataset(folder, group_by="column:patient")
    text = facts_text(opened, audit(opened))
    assert "View: not told." in text and cell not in text


def test_splits_are_counted_and_unknown_patients_said(folder):
    opened = open_dataset(folder, group_by="column:patient")
    first, *others = opened.cases
    dealt = (
        replace(first, frame=replace(first.frame, split="test", patient=None)),
        *(replace(case, frame=replace(case.frame, split="train")) for case in others),
    )
    text = facts_text(replace(opened, cases=dealt), audit(opened))
    assert "| test | 1 | " in text and "| train | 2 | " in text
    assert "| patients | 2, and 1 frame of unknown ones |" in text or "| patients | 1, and 1 frame of" in text
    unknown = tuple(replace(case, frame=replace(case.frame, patient=None)) for case in opened.cases)
    assert "| patients | unknown |" in facts_text(replace(opened, cases=unknown), audit(opened))
    bare = tuple(replace(case, truth=None) for case in opened.cases)
    assert "| labels | none |" in facts_text(replace(opened, cases=bare), audit(opened))


def test_equal_pixels_have_one_fingerprint_whatever_the_names(folder):
    before = audit(open_dataset(folder)).pixels_sha256
    for part in ("images", "masks"):
        (folder / part / "a1.png").rename(folder / part / "b.png")
    assert audit(open_dataset(folder)).pixels_sha256 == before


def test_the_size_in_the_head_is_renewed_and_what_people_wrote_stays(folder, tmp_path):
    opened = open_dataset(folder)
    report = audit(opened)
    card = write_card(opened, report, tmp_path)
    card.write_bytes(card.read_bytes().replace(b"tags:\n", b"license: other\ntags:\n") + b"\nours: \xff\n")
    for cases, size in ((1_000, b"1K<n<10K"), (2_000_000, b"n>1M"), (3, b"n<1K")):
        write_card(opened, replace(report, cases=cases), tmp_path)
        head = card.read_bytes().split(b"---\n")[1]
        assert head.endswith(b"size_categories:\n- " + size + b"\n") and b"license: other\n" in head
    assert card.read_bytes().endswith(b"\nours: \xff\n")
    written = card.read_bytes().replace(b"- n<1K\n", b"- unknown\n")
    card.write_bytes(written)
    write_card(opened, report, tmp_path)
    assert card.read_bytes() == written
