"""DICOM Segmentation objects: pixels, references, identity, and what a validator says."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Exchange, Identity
from helpers.data.exchange.exchange_formats import write_cases
from helpers.data.exchange.exchanged import MadeBy, Making, SentCase, SentSet
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from tests.support.dicom_files import PLANTED, angiogram, write

ROWS, COLUMNS = 5, 7  # 35 pixels: the second frame begins within a byte
AUTOMATIC = MadeBy(Making.AUTOMATIC, ("ab" * 32,))
# What an X-ray angiographic image must state beside its pixels.
CONFORMANT = {
    "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"], "PixelIntensityRelationship": "LIN", "KVP": "80",
    "RadiationSetting": "GR", "XRayTubeCurrent": "5", "ExposureTime": "8", "PositionerMotion": "STATIC",
    "PositionerPrimaryAngle": "30", "PositionerSecondaryAngle": "0", "PatientSex": "O", "StudyDate": "20200102",
    "StudyTime": "101112", "StudyID": "Quibble-77", "AccessionNumber": "ACC-77123", "SeriesNumber": "3",
    "ReferringPhysicianName": "Quibblewick^Otto", "Manufacturer": "Sanatorium Nowhere", "InstanceNumber": "4",
    "PatientOrientation": ["L", "F"], "LossyImageCompression": "00", "BurnedInAnnotation": "NO",
    "ImageComments": "of Quibblewick", "OperatorsName": "Quibblewick^Mia", "ProtocolName": "PID-77123",
    "BodyPartExamined": "QUIBBLEWICK", "FrameTime": "66", "FrameIncrementPointer": 0x0018_1063,
}  # fmt: skip


def cine(path, frames=3, compression=None, **fields):
    values = np.random.default_rng(frames).integers(0, 1024, (frames, ROWS, COLUMNS))
    return write(path, angiogram(values if frames > 1 else values[0], **{**CONFORMANT, **fields}), compression)


def mask_of(seed):
    return np.random.default_rng(seed).random((ROWS, COLUMNS)) < 0.4


def sent(path, indices, made_by=AUTOMATIC, **more):
    for index in indices:
        frame = Frame(f"P1-S1-F{index or 0:03d}", path, index, "P1")
        yield SentCase(
            frame.case_id,
            read_frame(path, index),
            mask_of(index or 0),
            frame=frame,
            patient="P1",
            made_by=made_by,
            **more,
        )


def written(folder, cases, kind=Exchange.DICOM_SEG, **more):
    folder.mkdir()
    return write_cases(kind, folder, cases, SentSet("vessel", "x", True, **more))


def only(folder):
    (path,) = folder.iterdir()
    return dcmread(path)


def validated(path):
    """The errors of dicom3tools' validator."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy of dicom3tools is absent")
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False).stderr
    assert "Error - Dicom dataset read failed" not in said
    return [line for line in said.splitlines() if line.startswith("Error")]


def test_a_cine_has_one_segmentation_of_the_frames_with_masks(tmp_path):
    written(tmp_path / "out", sent(cine(tmp_path / "a.dcm"), (0, 2)))
    seg, source = only(tmp_path / "out/segmentations"), only(tmp_path / "out/frames")
    assert np.array_equal(seg.pixel_array, [mask_of(0), mask_of(2)])
    images = [item.DerivationImageSequence[0].SourceImageSequence[0] for item in seg.PerFrameFunctionalGroupsSequence]
    assert [image.ReferencedFrameNumber for image in images] == [1, 3]
    assert {image.ReferencedSOPInstanceUID for image in images} == {source.SOPInstanceUID}
    assert (seg.SegmentationType, seg.StudyInstanceUID) == ("BINARY", source.StudyInstanceUID)
    (segment,) = seg.SegmentSequence
    assert segment.SegmentLabel == seg.SeriesDescription == "RESEARCH NOT FOR CLINICAL USE: vessel"
    assert (segment.SegmentAlgorithmType, segment.SegmentAlgorithmName) == (
        "AUTOMATIC",
        f"vesselkit, weights {'ab' * 8}",
    )
    assert validated(tmp_path / "out/segmentations/P1-S1-F000.dcm") == []
    assert validated(tmp_path / "out/frames/P1-S1-F000.dcm") == []


def test_a_still_frame_without_a_frame_number(tmp_path):
    written(tmp_path / "out", sent(cine(tmp_path / "a.dcm", 1), (None,)))
    seg = only(tmp_path / "out/segmentations")
    (group,) = seg.PerFrameFunctionalGroupsSequence
    assert "ReferencedFrameNumber" not in group.DerivationImageSequence[0].SourceImageSequence[0]
    assert np.array_equal(seg.pixel_array, mask_of(0))
    assert validated(tmp_path / "out/segmentations/P1-S1-F000.dcm") == []


def with_hidden_names(dataset):
    """The data set with a name in all places beside the fields of patients."""
    name, item = "Quibblewick^Otto", Dataset()
    item.MaskOperation, item.MaskFrameNumbers, item.MaskOperationExplanation = "AVG_SUB", 1, name
    item.add_new(0x0009_0010, "LO", name)
    within = Dataset()
    within.PatientName, within.MaskOperation = name, name
    item.MaskSubtractionSequence = [within]
    dataset.MaskSubtractionSequence = [item]
    dataset.private_block(0x0019, name, create=True).add_new(1, "LO", name)
    overlay, curve = (
        ((0x0010, "US", 2), (0x0011, "US", 8), (0x0040, "CS", "G"), (0x0050, "SS", [1, 1]), (0x0100, "US", 1))
        + ((0x0102, "US", 0), (0x1500, "LO", name), (0x3000, "OW", name.encode())),
        ((0x0010, "US", 1), (0x0022, "LO", name), (0x0103, "US", 0), (0x3000, "OW", name.encode())),
    )
    for group, elements in ((0x6000, overlay), (0x60FE, overlay), (0x5000, curve)):
        for element, kind, value in elements:
            dataset.add_new((group << 16) + element, kind, value)
    for keyword in ("SourceApplicationEntityTitle", "SendingApplicationEntityTitle", "ReceivingApplicationEntityTitle"):
        setattr(dataset.file_meta, keyword, "QUIBBLEWICK_AE")
    dataset.file_meta.PrivateInformationCreatorUID, dataset.file_meta.PrivateInformation = "1.2.3", name.encode()
    dataset.preamble = name.encode().ljust(128, b"\0")
    dataset.PixelData += name.encode()
    return dataset


def test_no_name_leaves_and_two_exports_open_together(tmp_path):
    path = cine(tmp_path / "a.dcm")
    write(path, with_hidden_names(dcmread(path)))
    texts = (*PLANTED, "Quibble", "QUIBBLE", "77123", "Zeno", "20200102", str(dcmread(path).StudyInstanceUID))
    found = []
    for name in ("out", "again"):
        assert written(tmp_path / name, sent(path, (1,))) == ()
        for file in (tmp_path / name).rglob("*.dcm"):
            assert not [text for text in texts if text.encode() in file.read_bytes()]
            found.append(dcmread(file))
    assert {one.StudyInstanceUID for one in found} == {found[0].StudyInstanceUID}
    assert len({one.SOPInstanceUID for one in found}) == 3  # one source, two segmentations
    assert {(one.PatientID, one.PatientIdentityRemoved) for one in found} == {("P1", "YES")}
    shown = read_frame(next((tmp_path / "out/frames").iterdir()), 1)
    assert shown.tobytes() == read_frame(path, 1).tobytes()


@pytest.mark.parametrize("said", [{"PatientIdentityRemoved": "YES", "DeidentificationMethod": "by hand"}, {}])
def test_identity_stays_where_it_was_removed_or_is_asked_for(tmp_path, said):
    path = cine(tmp_path / "a.dcm", BurnedInAnnotation="YES", **said)
    source = dcmread(path)
    notes = written(tmp_path / "out", sent(path, (0,)), identity=Identity.DECLARED if said else Identity.SOURCE)
    assert [note[:12] for note in notes] == ["1 source fil"] if said else ["1 segmentati", "1 source fil"]
    seg = only(tmp_path / "out/segmentations")
    assert not (tmp_path / "out/frames").exists()
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
        assert seg[keyword].value == source[keyword].value
    assert (
        seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    )
    assert "InstitutionName" not in seg and "OperatorsName" not in seg
    assert validated(tmp_path / "out/segmentations/P1-S1-F000.dcm") == []


def test_compressed_frames_keep_their_bytes_and_text_in_them_is_refused(tmp_path):
    path = cine(tmp_path / "a.dcm", 2, RLELossless)
    written(tmp_path / "out", sent(path, (1,)))
    (frames,) = (tmp_path / "out/frames").iterdir()
    assert dcmread(frames).PixelData == dcmread(path).PixelData
    assert read_frame(frames, 1).tobytes() == read_frame(path, 1).tobytes()
    spelled = dcmread(cine(tmp_path / "b.dcm", 2))
    spelled.PixelData = b"Quibblewick" + spelled.PixelData[11:]
    with pytest.raises(RefusedInput, match=r"b.dcm: expected frames without text, found one of the header's"):
        written(tmp_path / "refused", sent(write(tmp_path / "b.dcm", spelled), (0,)))


def test_probabilities_in_255ths(tmp_path):
    probability = np.linspace(0, 1, ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)
    cases = sent(cine(tmp_path / "a.dcm"), (0, 1), probability=probability)
    written(tmp_path / "out", cases, Exchange.DICOM_SEG_FRACTIONAL)
    seg = only(tmp_path / "out/segmentations")
    assert (seg.SegmentationFractionalType, seg.MaximumFractionalValue) == ("PROBABILITY", 255)
    assert np.array_equal(seg.pixel_array, [np.rint(probability * 255)] * 2)
    assert validated(tmp_path / "out/segmentations/P1-S1-F000.dcm") == []
    with pytest.raises(RefusedInput, match="found a mask alone. Export dicom-seg"):
        written(tmp_path / "masks", sent(tmp_path / "a.dcm", (0,)), Exchange.DICOM_SEG_FRACTIONAL)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([MadeBy(Making.MANUAL), MadeBy(Making.MANUAL)], ("MANUAL", None)),
        ([MadeBy(Making.MANUAL), AUTOMATIC], ("SEMIAUTOMATIC", f"vesselkit, weights {'ab' * 8}")),
        ([MadeBy(Making.SEMIAUTOMATIC)], ("SEMIAUTOMATIC", "vesselkit, unknown weights")),
        ([AUTOMATIC, MadeBy(Making.AUTOMATIC, ("c" * 64,))], ("AUTOMATIC", "vesselkit, several weights")),
    ],
)
def test_how_the_masks_of_an_object_came_about(tmp_path, made, expected):
    path = cine(tmp_path / "a.dcm")
    written(tmp_path / "out", [case for index, one in enumerate(made) for case in sent(path, (index,), one)])
    (segment,) = only(tmp_path / "out/segmentations").SegmentSequence
    assert (segment.SegmentAlgorithmType, segment.get("SegmentAlgorithmName")) == expected
    assert validated(tmp_path / "out/segmentations/P1-S1-F000.dcm") == []


def test_frames_that_nothing_can_refer_to_are_refused(tmp_path):
    Image.new("L", (COLUMNS, ROWS)).save(tmp_path / "a.png")
    with pytest.raises(RefusedInput, match="expected a frame of a DICOM file.*Export nifti or png"):
        written(tmp_path / "png", sent(tmp_path / "a.png", (None,)))
    with pytest.raises(RefusedInput, match="expected StudyInstanceUID in its DICOM file"):
        written(tmp_path / "none", sent(cine(tmp_path / "b.dcm", StudyInstanceUID=None), (0,)))
