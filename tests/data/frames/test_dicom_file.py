"""DICOM files without the marker are read where they prove themselves."""

import numpy as np
import pytest
from pydicom.uid import RLELossless

from helpers.data.frames.dicom import read_dicom_frame
from helpers.data.frames.dicom_file import is_bare_dicom, looks_bare
from helpers.data.frames.dicom_header import dicom_facts, is_dicom
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.layouts.series_folders import read_dicom
from tests.support.dicom_files import angiogram, write

VALUES = np.arange(3 * 5 * 7).reshape(3, 5, 7) * 9


def without_marker(path, dataset, implicit=False, keep_header=False, compression=None):
    """Write a data set as old stations do, without preamble and marker; with its file header where asked for."""
    if keep_header:
        whole = write(path.with_suffix(".whole"), dataset, compression).read_bytes()
        path.write_bytes(whole[132:])
        path.with_suffix(".whole").unlink()
        return path
    del dataset.file_meta
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    return path


@pytest.mark.parametrize("form", [{}, {"implicit": True}, {"keep_header": True}])
@pytest.mark.parametrize("name", ["a.dcm", "IM0001"])
def test_frames_are_those_of_the_file_with_its_marker(tmp_path, form, name):
    whole = write(tmp_path / "whole.dcm", angiogram(VALUES))
    bare = without_marker(
        tmp_path / "bare" / name if "keep_header" not in form else tmp_path / name, angiogram(VALUES), **form
    )
    assert is_bare_dicom(bare) and is_dicom(bare) and not is_bare_dicom(whole)
    assert dicom_facts(bare).frame_count == 3
    for index in range(3):
        expected, found = (np.asarray(read_dicom_frame(path, index)) for path in (whole, bare))
        assert np.array_equal(expected, found)


def test_a_compressed_file_is_read_where_its_file_header_says_how(tmp_path):
    bare = without_marker(tmp_path / "a", angiogram(VALUES), keep_header=True, compression=RLELossless)
    whole = write(tmp_path / "b", angiogram(VALUES))
    assert np.array_equal(np.asarray(read_dicom_frame(bare, 2)), np.asarray(read_dicom_frame(whole, 2)))


def test_they_stand_beside_others_in_a_folder(tmp_path):
    write(tmp_path / "a.dcm", angiogram(VALUES[0]))
    without_marker(tmp_path / "b.dcm", angiogram(VALUES[0]))
    reading = read_dicom(tmp_path)
    assert ([record.name for record in reading.records], reading.faults) == (["a.dcm", "b.dcm"], ())


@pytest.mark.parametrize("name", ["b.dcm", "IM0002"])
@pytest.mark.parametrize("kind", ["cut", "no class", "noise", "other length"])
def test_what_does_not_prove_itself_is_counted_and_not_read(tmp_path, name, kind):
    write(tmp_path / "a.dcm", angiogram(VALUES[0]))
    path = tmp_path / name
    if kind == "noise":
        path.write_bytes(b"\x08\x00\x05\x00CS" + bytes(range(256)) * 3)
    else:
        dataset = angiogram(VALUES[0])
        if kind == "no class":
            del dataset.SOPClassUID
        if kind == "other length":
            dataset.Rows = 4
        without_marker(path, dataset)
        if kind == "cut":
            path.write_bytes(path.read_bytes()[:-4])
    assert looks_bare(path) and not is_dicom(path)
    reading = read_dicom(tmp_path)
    assert [record.name for record in reading.records] == ["a.dcm"]
    assert [fault.name for fault in reading.faults] == [name]
    assert "without its marker" in reading.faults[0].reason
    with pytest.raises(UnreadableImage):
        dicom_facts(path)


@pytest.mark.parametrize("content", [b"", b"\x08\x00", b"BM\x08\x00" + bytes(99), b"P5 1 1 255 a", bytes(400)])
def test_other_files_do_not_look_so(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert not looks_bare(tmp_path / "a") and not is_dicom(tmp_path / "a")
    assert not looks_bare(tmp_path / "missing")


def test_an_empty_file_named_as_dicom_is_counted(tmp_path):
    write(tmp_path / "a.dcm", angiogram(VALUES[0]))
    (tmp_path / "b.DCM").touch()
    assert [fault.name for fault in read_dicom(tmp_path).faults] == ["b.DCM"]
