"""Each fault of a data set is found, told by case id, and never by name."""

import csv
import io
import json
import os

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset as DicomDataset
from pydicom.sequence import Sequence

from helpers.data.audit.audit import audit, write_report
from helpers.data.audit.findings import AuditFinding, AuditSeverity, of_case, ordered, to_csv, to_text, truth_findings
from helpers.data.cases import Case, Fault
from helpers.data.dataset import Dataset, open_dataset
from helpers.data.frames.frame import Frame
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.truth import mask_file
from helpers.data.truth.ground_truth import MaskFileTruth, PolygonTruth
from helpers.review.figures.audit_sheet import save_suspicious_sheet
from tests.support import field_data_sets as field
from tests.support.dicom_files import angiogram, write

SQUARE = (1, 1, 5, 1, 5, 5, 1, 5)


class Cases:
    """Makes cases of 8 x 8 pixels, each with pixels of its own unless they are named."""

    def __init__(self, folder):
        self.folder, self.cases = folder, []

    def add(self, truth=None, *, value=None, name=None, **values):
        number = len(self.cases)
        path = self.folder / (name or f"{number}.png")
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), number if value is None else value).save(path)
        self.cases.append(Case(Frame(f"C{number}", path, **values), truth))
        return path

    def kinds(self, **values):
        return [(found.severity.value, found.kind, found.case_id) for found in self.report(**values).findings]

    def report(self, ids=IdPolicy.PSEUDONYM, faults=()):
        self.dataset = Dataset(self.folder, "paired", tuple(self.cases), ids, None, (), faults)
        return audit(self.dataset)


@pytest.fixture
def cases(tmp_path):
    return Cases(tmp_path)


def mask(path, array):
    Image.fromarray(np.asarray(array, np.uint8)).save(path)
    return MaskFileTruth(path)


def test_a_sound_set_has_no_finding(cases):
    cases.add(PolygonTruth((SQUARE,)), split="train", patient="P1")
    cases.add(PolygonTruth((SQUARE,)), split="test", patient="P2")
    report = cases.report()
    assert (report.findings, report.ok, report.cases, report.truths) == ((), True, 2, 2)
    assert report.to_text().endswith("0 errors, 0 warnings, 0 notes")


@pytest.mark.parametrize(
    ("polygons", "size", "found"),
    [
        ((SQUARE,), (12, 12), ("error", "size_mismatch")),
        (((0, 0, 12, 0, 12, 12),), None, ("error", "size_mismatch")),
        (((0, 0, -3, 0, 5, 5),), None, ("error", "out_of_bounds")),
        (((0, 0, 5, 5),), None, ("error", "few_points")),
        (((0, 0, float("nan"), 5, 5, 5),), None, ("error", "broken_truth")),
        ((), None, ("warning", "empty_truth")),
        (((0, 0, 8, 0, 8, 8, 0, 8),), None, ("warning", "full_truth")),
    ],
)
def test_annotations(cases, polygons, size, found):
    cases.add(PolygonTruth(polygons, size))
    assert cases.kinds() == [(*found, "C0")]


def test_masks_not_binary_and_missing(cases, tmp_path):
    grey = np.zeros((8, 8))
    grey[1, 1] = 100
    cases.add(mask(tmp_path / "grey.png", grey))
    cases.add(None)
    assert cases.kinds() == [("warning", "mask_not_binary", "C0"), ("warning", "missing_truth", "C1")]


def test_without_any_truth_one_note_says_so(cases):
    cases.add()
    cases.add()
    assert cases.kinds() == [("note", "no_truth", None)] and cases.report().ok


def test_unreadable_frames_and_faults(cases):
    cases.add(PolygonTruth((SQUARE,))).write_bytes(b"no image")
    cases.add(PolygonTruth((SQUARE,)))
    found = cases.kinds(faults=(Fault("Doe.png", "a mask without an image of its stem"),))
    assert found == [("error", "passed_over", None), ("error", "unreadable", "C0")]


def test_equal_frames_within_and_across_splits(cases):
    for split in ("train", "train", "test"):
        cases.add(PolygonTruth((SQUARE,)), value=9, split=split)
    assert cases.kinds() == [("error", "duplicate_across_splits", "C2"), ("warning", "duplicate", "C1")]


def test_patients_and_sequences_across_splits(cases):
    for split in ("train", "test"):
        cases.add(PolygonTruth((SQUARE,)), split=split, patient="P1", sequence="P1-S1")
        cases.add(PolygonTruth((SQUARE,)), split=split, sequence="S1")
    report = cases.report()
    assert [found.kind for found in report.findings] == ["patient_across_splits", "sequence_across_splits"]
    assert "P1" in report.findings[0].what and not report.ok


def test_names_are_noticed_and_never_told(cases, tmp_path):
    cases.add(PolygonTruth((SQUARE,)), name="Doe_Jane (1234567)/1.png")
    report = cases.report()
    assert [(found.kind, found.case_id) for found in report.findings] == [("name_in_path", "C0")]
    write_report(report, tmp_path / "out")
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert b"Doe" not in written and b"1234567" not in written and "Doe" not in report.to_text()
    assert cases.kinds(ids=IdPolicy.PUBLIC) == []


def test_deep_pixels_are_noted(cases, tmp_path):
    path = cases.add(PolygonTruth((SQUARE,)))
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 500).save(path)
    assert cases.kinds() == [("note", "deep_pixels", "C0")]


def test_the_report_is_written(cases, tmp_path):
    cases.add(PolygonTruth((SQUARE,), (12, 12)))
    cases.add(PolygonTruth(()))
    cases.add(PolygonTruth((SQUARE,))).write_bytes(b"")
    report = cases.report()
    write_report(report, tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out" / "findings.csv").open()))
    assert [row["case_id"] for row in rows] == [found.case_id for found in report.findings]
    stored = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert stored["counts"] == {"error": 2, "warning": 1, "note": 0}
    save_suspicious_sheet(report.findings, cases.dataset.cases, tmp_path / "out")
    with Image.open(tmp_path / "out" / "contact_sheet.png") as sheet:
        assert sheet.info.keys() <= {"dpi"} and sheet.width > 1000


def test_an_audit_of_real_files(tmp_path):
    for name, size in (("a", 8), ("b", 16)):
        for folder, side in (("images", 8), ("masks", size)):
            (tmp_path / folder).mkdir(exist_ok=True)
            pixels = np.zeros((side, side), np.uint8)
            pixels[1:3, 1 : 3 + len(folder)] = 255 if folder == "masks" else ord(name)
            Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    report = audit(open_dataset(tmp_path, ids=IdPolicy.KEEP))
    assert [(found.kind, found.case_id) for found in report.findings] == [("size_mismatch", "b")]


def test_a_frame_that_looks_like_a_mask_and_an_order_in_doubt_are_told(tmp_path):
    for seed, name in enumerate(("1", "01", "2")):
        field.frame(tmp_path / "P1" / "S1" / f"{name}.png", seed)
    field.mask(tmp_path / "P2" / "S1" / "1.png", 3)
    field.frame(tmp_path / "P2" / "S1" / "2.png", 4)
    dataset = open_dataset(tmp_path, layout="images", ids=IdPolicy.KEEP)
    found = {one.kind: (one.severity, one.case_id, one.what) for one in audit(dataset).findings}
    assert found["mask_like"][:2] == (AuditSeverity.WARNING, "P2-S1-1.png")
    said = "sequence P1-S1: some names count as equal, such as 1 and 01"
    assert found["order_doubtful"] == (AuditSeverity.WARNING, None, said)


def test_tables_order_shorten_and_disarm():
    many = [AuditFinding(AuditSeverity.NOTE, "a", f"=C{n}", "x", "y") for n in range(9)]
    findings = ordered([*many, AuditFinding(AuditSeverity.ERROR, "b", None, "x", "y")])
    assert findings[0].kind == "b"
    assert "and 4 more" in to_text(findings) and "=C5" not in to_text(findings)
    assert list(csv.reader(io.StringIO(to_csv(findings))))[2][2] == "'=C0"


def test_a_dicom_header_is_told_by_its_keywords(tmp_path):
    for number in (1, 2):
        values = np.full((2, 8, 8), 100 * number, np.uint16)
        values[1] += 7
        header = angiogram(values, PatientName="Doe^Jane", PatientID="7654321", BurnedInAnnotation="YES")
        write(tmp_path / "set" / f"Doe^Jane{number}.dcm", header)
    dataset = open_dataset(tmp_path / "set")
    report = audit(dataset)
    write_report(report, tmp_path / "out")
    assert {frame.patient for frame in dataset.frames} == {dataset.frames[0].case_id[:4]}
    kinds = {found.kind for found in report.findings}
    assert {"name_in_path", "identity_in_header", "burned_in"} <= kinds
    told = report.to_text().encode() + b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert b"PatientName" in told and b"Doe" not in told and b"7654321" not in told


def test_what_a_dicom_header_says_of_masks_shutters_and_padding(tmp_path):
    item = DicomDataset()
    item.MaskOperation, item.MaskFrameNumbers = "AVG_SUB", 2
    values = np.arange(3 * 64).reshape(3, 8, 8)
    fields = {"MaskSubtractionSequence": Sequence([item]), "ShutterShape": "CIRCULAR", "PixelPaddingValue": 0}
    header = angiogram(values, photometric="MONOCHROME1", **fields)
    header["PixelPaddingValue"].VR = "US"
    write(tmp_path / "set" / "cine.dcm", header)
    write(tmp_path / "set" / "plain.dcm", angiogram(values + 200))
    dataset = open_dataset(tmp_path / "set", ids=IdPolicy.KEEP)
    found = {finding.kind: finding for finding in audit(dataset).findings}
    assert found.keys() >= {"mask_frame", "display_shutter", "padding"}
    masked = next(case for case in dataset.cases if case.case_id == found["mask_frame"].case_id)
    assert (masked.frame.path.name, masked.frame.index) == ("cine.dcm", 1)
    assert found["mask_frame"].severity is AuditSeverity.WARNING
    assert "CIRCULAR" in found["display_shutter"].what
    counted = [finding.kind for finding in audit(dataset).findings]
    assert [counted.count(kind) for kind in ("mask_frame", "display_shutter", "padding")] == [1, 1, 1]


@pytest.mark.parametrize(("ids", "severity"), [("private", AuditSeverity.WARNING), ("public", AuditSeverity.NOTE)])
def test_frames_in_colour_are_named(tmp_path, ids, severity):
    frames = np.random.default_rng(0).integers(0, 256, (4, 40, 40), dtype=np.uint8)
    Image.fromarray(np.moveaxis(frames[:3], 0, -1)).save(tmp_path / "three.png")
    Image.fromarray(frames[0]).convert("RGB").save(tmp_path / "grey.jpg", quality=60)
    drawn = np.repeat(frames[3][..., None], 3, axis=-1)
    drawn[5:7] = (255, 0, 0)
    Image.fromarray(drawn).save(tmp_path / "drawn.png")
    if ids == "public":
        (tmp_path / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "images"}))
    found = audit(open_dataset(tmp_path, layout="images", ids=None if ids == "public" else IdPolicy.KEEP)).findings
    named = {finding.case_id: finding.severity for finding in found if finding.kind == "in_colour"}
    assert named == {"three": severity, "drawn": severity}


def test_altered_copies_of_images_are_told_once(cases):
    for copy in "abc":
        cases.add(PolygonTruth((SQUARE,)), name=f"x_png.rf.{copy * 16}.jpg")
    cases.add(PolygonTruth((SQUARE,)), name="y_png.rf.dddddddddddddddd.jpg")
    (found,) = [one for one in cases.report().findings if one.kind == "altered_copies"]
    assert found.case_id is None and found.what.startswith("4 images are copies of 2, by their names")


@pytest.mark.parametrize(("side", "told"), [(64, True), (8, False)])
def test_a_frame_of_one_grey_is_told_unless_it_is_tiny(cases, side, told):
    Image.new("L", (side, side), 0).save(cases.add())
    found = [one.what for one in cases.report().findings if one.kind == "plain_frame"]
    assert found == ["the frame is one grey everywhere, 0 of 255"] * told


def test_a_mask_file_is_decoded_once_to_check_it(tmp_path, monkeypatch):
    for folder, value in (("images", 90), ("masks", 0)):
        (tmp_path / folder).mkdir()
        for name in "abc":
            pixels = np.full((8, 8), value, np.uint8)
            pixels[2:4] = 255
            Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    opened = open_dataset(tmp_path)
    assert opened.undecided is None  # all are read to judge their values together
    decoded, real = [], mask_file._decoded
    monkeypatch.setattr(mask_file, "_decoded", lambda path: decoded.append(path.name) or real(path))
    for case in opened.cases:
        assert list(truth_findings(case, (8, 8), True, None)) == []
    assert sorted(decoded) in (["a.png", "b.png", "c.png"], ["a.png", "b.png"])  # the last one may be kept


def test_a_mask_that_was_written_again_is_read_again(tmp_path):
    path = tmp_path / "a.png"
    for value in (0, 255, 0):
        Image.fromarray(np.full((8, 8), value, np.uint8)).save(path)
        os.utime(path, ns=(value + 1, value + 1))
        assert mask_file.read_plane(path).values.max() == value


def test_a_sheet_of_faults_that_were_mended_does_not_stay(cases, tmp_path):
    cases.add(PolygonTruth((SQUARE,)))
    fault = of_case("error", "size_mismatch", cases.cases[0], "another size", "export it again")
    save_suspicious_sheet([fault], cases.cases, tmp_path)
    assert (tmp_path / "contact_sheet.png").is_file()
    save_suspicious_sheet([], cases.cases, tmp_path)
    assert not (tmp_path / "contact_sheet.png").exists()
