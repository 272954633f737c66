"""A folder of DICOM files becomes records with patients, sequences and frame numbers of the headers."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from helpers.core.errors import RefusedInput
from helpers.data.groups.time_order import time_order
from helpers.data.layouts.series_folders import read_dicom
from tests.support.dicom_files import PLANTED, angiogram, write

FRAME = np.full((4, 4), 512)
CINE = np.zeros((12, 4, 4), int)


def test_a_cine_is_one_sequence(tmp_path):
    dataset = angiogram(CINE, PatientID="Q1")
    write(tmp_path / "one" / "run.dcm", dataset)
    write(tmp_path / "one" / "other", angiogram(CINE[:3], PatientID="Q1", SeriesInstanceUID=dataset.SeriesInstanceUID))
    reading = read_dicom(tmp_path)
    assert (reading.layout, reading.public, reading.notes) == ("dicom", False, ())
    names = [record.name for record in reading.records]
    assert names == [f"one/other#{index}" for index in range(3)] + [f"one/run.dcm#{index:02}" for index in range(12)]
    record = reading.records[-1]
    assert (record.index, record.number, record.patient, record.truth) == (11, 12, "Q1", None)
    assert record.path == tmp_path / "one" / "run.dcm"
    assert record.sequence == f"{dataset.SeriesInstanceUID}/{dataset.SOPInstanceUID}"
    assert len({record.sequence for record in reading.records}) == 2


def test_single_frames_of_a_series_keep_their_instance_number(tmp_path):
    for name, instance, series in (("a", 30, "1.2"), ("b", 4, "1.2"), ("c", None, "1.2"), ("d", 1, "1.3")):
        fields = {} if instance is None else {"InstanceNumber": instance}
        write(tmp_path / name, angiogram(FRAME, SeriesInstanceUID=series, **fields))
    records = {record.name: record for record in read_dicom(tmp_path).records}
    assert {name: record.number for name, record in records.items()} == {"a": 30, "b": 4, "c": None, "d": 1}
    assert {record.sequence for record in records.values()} == {"1.2", "1.3"}
    assert all(record.index is None for record in records.values())


@pytest.mark.parametrize("instance", [20240131, 10**11, -1])
def test_an_instance_number_that_no_frame_has_is_left_out(tmp_path, instance):
    write(tmp_path / "a", angiogram(FRAME, SeriesInstanceUID="1.2", InstanceNumber=instance))
    (record,) = read_dicom(tmp_path).records
    assert (record.number, record.sequence) == (None, "1.2")


def test_patient_without_an_id(tmp_path):
    write(tmp_path / "named", angiogram(FRAME, PatientID=""))
    write(tmp_path / "unnamed", angiogram(FRAME, PatientID="", PatientName="", SeriesInstanceUID=""))
    named, unnamed = read_dicom(tmp_path).records
    assert named.patient == f"{PLANTED[0]}^Zeno"
    assert (unnamed.patient, unnamed.sequence, unnamed.number) == (None, None, None)


@pytest.mark.parametrize("text", ["ANONYMOUS", "anon", "Anonymized^Patient", "UNKNOWN", "0000", "^", "N/A", "xxx"])
def test_anonymous_patients_are_unknown_and_never_one(tmp_path, text):
    write(tmp_path / "a", angiogram(FRAME, PatientID=text, PatientName=text))
    write(tmp_path / "b", angiogram(FRAME, PatientID="ANON17", PatientName=text))
    reading = read_dicom(tmp_path)
    assert [record.patient for record in reading.records] == [None, "ANON17"]
    assert any(note.startswith("1 DICOM files name no patient") for note in reading.notes)


def test_what_is_no_angiogram_is_counted(tmp_path):
    write(tmp_path / "good", angiogram(FRAME))
    write(tmp_path / "ct", angiogram(FRAME, Modality="CT"))
    write(tmp_path / "report", angiogram(FRAME, PixelData=None, Rows=None, Columns=None))
    write(tmp_path / "DICOMDIR", angiogram(FRAME))
    (tmp_path / "notes.txt").write_text("text")
    reading = read_dicom(tmp_path)
    assert [record.name for record in reading.records] == ["good"]
    assert len(reading.notes) == 1
    assert reading.notes[0].startswith("3 DICOM directories, other modalities")


def test_a_damaged_header_keeps_a_record(tmp_path):
    write(tmp_path / "good", angiogram(FRAME))
    write(tmp_path / "endless", angiogram(CINE, NumberOfFrames=2_000_000_000))
    reading = read_dicom(tmp_path)
    assert [(record.name, record.patient) for record in reading.records] == [("endless", None), ("good", PLANTED[1])]
    assert any(note.startswith("1 DICOM files have a header") for note in reading.notes)


def test_links_out_of_the_root_are_left_out(tmp_path):
    root = tmp_path / "root"
    write(root / "good", angiogram(FRAME))
    outside = write(tmp_path / "outside" / "secret", angiogram(FRAME))
    (root / "file").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    (root / "again").symlink_to(root / "good")
    reading = read_dicom(root)
    assert [record.name for record in reading.records] == ["again", "good"]
    assert any(note.startswith("2 links") for note in reading.notes)
    assert not any("secret" in note for note in reading.notes)


def test_nothing_found(tmp_path):
    with pytest.raises(RefusedInput, match="none among 0 files"):
        read_dicom(tmp_path)
    with pytest.raises(RefusedInput, match="expected a folder"):
        read_dicom(tmp_path / "missing")


TIMES = {
    "acquisition times": [
        {"AcquisitionDate": "20240105", "AcquisitionTime": time} for time in ("0959", "10", "100000.5")
    ],
    "across midnight": [
        {"AcquisitionDateTime": f"202401{day}", "InstanceNumber": 1}
        for day in ("05235959.93", "06000000", "06000000.07")
    ],
    "zones": [{"AcquisitionDateTime": f"20240105{time}"} for time in ("100000+0200", "083000+0000", "100000")],
    "content times": [
        {"AcquisitionDate": "20240105", "AcquisitionTime": "10", "ContentDate": "20240105", "ContentTime": time}
        for time in ("100000.066", "100000.5", "100001")
    ],
    "large instance numbers": [{"InstanceNumber": 20240105000 + at} for at in range(3)],
    "instance numbers": [{"InstanceNumber": at} for at in (2, 9, 10)],
}


@pytest.mark.parametrize("kind", TIMES)
def test_single_frames_stand_in_the_order_of_their_headers(tmp_path, kind):
    for place, fields in enumerate(TIMES[kind]):
        write(tmp_path / f"{9 - place}.dcm", angiogram(FRAME, SeriesInstanceUID="1.2", **fields))
    positions = time_order(read_dicom(tmp_path).records).positions
    found = [9 - int(name[0]) for name in sorted(positions, key=positions.get)]
    assert found == [0, 1, 2]


@pytest.mark.parametrize("text", ["", "noon", "20240231100000", "2024"])
def test_a_time_that_is_none_leaves_the_order_to_names(tmp_path, text):
    for name in ("2.dcm", "10.dcm"):
        write(tmp_path / name, angiogram(FRAME, SeriesInstanceUID="1.2", AcquisitionDateTime=text))
    assert time_order(read_dicom(tmp_path).records).positions == {"2.dcm": 0, "10.dcm": 1}


def test_masks_of_a_subtraction_and_display_shutters_are_counted(tmp_path):
    item = Dataset()
    item.MaskOperation, item.MaskFrameNumbers = "AVG_SUB", [1, 2]
    write(tmp_path / "a.dcm", angiogram(np.zeros((5, 4, 4), int), MaskSubtractionSequence=Sequence([item])))
    write(tmp_path / "b.dcm", angiogram(np.zeros((4, 4), int), ShutterShape="CIRCULAR"))
    reading = read_dicom(tmp_path)
    assert len(reading.records) == 6
    assert reading.notes == (
        "2 frames are masks of a subtraction by their header, without contrast agent; they were read as frames",
        "1 DICOM files have a display shutter, which is not applied: what it hides is in the frames",
    )


def test_segmentations_are_named_with_the_way_to_take_them(tmp_path):
    write(tmp_path / "a.dcm", angiogram(CINE, PatientID="Q1"))
    write(tmp_path / "s.dcm", angiogram(CINE, PatientID="Q1", Modality="SEG"))
    (note,) = read_dicom(tmp_path).notes
    assert note == "1 DICOM segmentations are not read as frames; `vesselkit import` takes them"


@pytest.mark.parametrize(
    ("first", "second", "doubtful"),
    [
        ({"IssuerOfPatientID": "A"}, {"IssuerOfPatientID": "B"}, True),
        ({"PatientBirthDate": "19400101"}, {"PatientBirthDate": "19500101"}, True),
        ({"IssuerOfPatientID": "A"}, {"PatientBirthDate": None}, False),
    ],
)
def test_one_patient_id_of_several_people_is_told(tmp_path, first, second, doubtful):
    for number, fields in enumerate((first, second)):
        write(tmp_path / f"{number}.dcm", angiogram(CINE, PatientID="1", **fields))
    notes = read_dicom(tmp_path).notes
    assert len(notes) == doubtful
    assert all(note.startswith("1 patient ids of DICOM headers stand with several issuers") for note in notes)
