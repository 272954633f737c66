"""Frames under a pseudonym: who they are of, and which elements go with them."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from helpers.core.errors import RefusedInput
from helpers.data.exchange.dicom_identity import drawn_patient, pseudonymised
from tests.support.dicom_files import angiogram, write

KEY = bytes(32)
NAME = "Quibblewick Otto"


def bare(path, dataset):
    """What leaves of a data set."""
    leaving = pseudonymised(write(path, dataset), None, KEY)
    write(path, leaving)
    return dcmread(path)


def made(**fields):
    return angiogram(np.arange(12).reshape(3, 4), **fields)


def curve(kind, value, entries=16):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [entries, 0, 8])
    item.add_new("LUTData", kind, value)
    return item


@pytest.mark.parametrize(
    ("keyword", "kind", "value"),
    [
        ("CineRate", "LO", NAME),
        ("CineRate", "IS", "19570312"),
        ("ExposureTime", "IS", "19570312"),
        ("KVP", "DS", "19570312"),
        ("KVP", "US", list(np.frombuffer(NAME.encode(), "<u2"))),
        ("ContrastFrameAveraging", "US", list(np.frombuffer(NAME.encode(), "<u2"))),
        ("MaskFrameNumbers", "US", list(np.frombuffer(NAME.encode(), "<u2"))),
        ("MaskSubPixelShift", "OB", NAME.encode()),
        ("FrameIncrementPointer", "AT", [0x0010_0010]),
        ("StartTrim", "OB", NAME.encode()),
        ("InstanceNumber", "LO", "571203"),
    ],
)
def test_what_is_no_short_number_stays_behind(tmp_path, keyword, kind, value):
    dataset = made()
    dataset.add_new(keyword, kind, value)
    assert not bare(tmp_path / "a.dcm", dataset).get(keyword)


@pytest.mark.parametrize(
    ("keyword", "kind", "value"),
    [
        ("PixelPaddingValue", "SH", NAME),
        ("WindowCenter", "LO", "40"),
        ("RescaleSlope", "DS", "19570312"),
        ("VOILUTFunction", "CS", NAME),
        ("VOILUTSequence", "SQ", [curve("OW", NAME.encode(), 8)]),
        ("VOILUTSequence", "SQ", [curve("US", list(np.frombuffer(NAME.encode(), "<u2")), 8)]),
        ("VOILUTSequence", "SQ", [curve("OW", bytes(32) + NAME.encode())]),
        ("SOPClassUID", "UI", NAME),
    ],
)
def test_text_where_a_frame_is_drawn_by_a_number_is_refused(tmp_path, keyword, kind, value):
    dataset = made()
    dataset.add_new(keyword, kind, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    with pytest.raises(
        RefusedInput, match=rf"a.dcm: expected .*{keyword if keyword[0] in 'PWR' else ''}.*as|SOP class"
    ):
        pseudonymised(write(tmp_path / "a.dcm", dataset), None, KEY)


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
def test_numbers_of_the_standard_stay(tmp_path, syntax):
    numbers = {
        "CineRate": 15, "KVP": 80.5, "PixelPaddingValue": 4095, "MaskSubPixelShift": [0.5, -1.0], "TIDOffset": -1,
        "WindowCenter": [500.0, 300.0], "WindowWidth": [700.0, 65535.0], "FrameTimeVector": [0.0, 66.0],
        "VerticesOfThePolygonalShutter": [1, 2, 3, 4], "ImagerPixelSpacing": [0.2, 0.2],
        "FrameIncrementPointer": 0x0018_1065,
    }  # fmt: skip
    dataset = made(**numbers, VOILUTSequence=[curve("OW", np.arange(16, dtype="<u2").tobytes())])
    if syntax is not None:
        dataset.file_meta.TransferSyntaxUID = syntax
    kept = bare(tmp_path / "a.dcm", dataset)
    assert {keyword: kept[keyword].value for keyword in numbers} == numbers
    assert np.array_equal(np.frombuffer(kept.VOILUTSequence[0].LUTData, "<u2"), np.arange(16))


def test_patients_without_an_id_are_told_apart_by_study():
    study = generate_uid()
    for nobody in ("ANONYMOUS", "0", "", "Patient^Anonymous"):
        one, other = (made(PatientID=nobody, PatientName="anon", StudyInstanceUID=uid) for uid in (study, None))
        other.StudyInstanceUID = generate_uid()
        assert drawn_patient(one, KEY) == drawn_patient(made(PatientID="", PatientName="", StudyInstanceUID=study), KEY)
        assert drawn_patient(one, KEY) != drawn_patient(other, KEY)
    assert drawn_patient(made(), KEY) == drawn_patient(made(PatientName=""), KEY)
