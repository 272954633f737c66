"""What the kit writes is read by the tools' own code without a pixel lost, and what that writes is read by the kit."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Exchange, Identity
from helpers.data.exchange.exchange_formats import kind_of, read_masks, write_cases
from helpers.data.exchange.exchanged import MadeBy, Making, SentCase, SentSet, VesselChoice
from helpers.data.frames.frame import Frame
from tests.model.test_bare_environment import built_python, common_python
from tests.support.dicom_files import angiogram, write
from tests.support.placed_sources import placed_frames

pytestmark = [pytest.mark.bare, pytest.mark.releases]

SCRIPTS = Path(__file__).resolve().parents[2] / "support/other_tools"
ROWS, COLUMNS = 37, 53
SENT = SentSet("vessel", "Masks for a test.", True)


def drawn():
    """Masks of two patients: vessels of a pixel, holes, parts that touch, one pixel in a corner, all, nothing."""
    thin, holes, touching, corners = np.zeros((4, ROWS, COLUMNS), bool)
    steps = np.arange(ROWS)
    thin[steps, steps], thin[steps, 50 - steps], thin[:, 0], thin[11] = True, True, True, True
    holes[3:30, 4:44] = True
    holes[5:9, 6:10] = holes[12, 12] = holes[15:28, 20:40] = False
    holes[20, 25:30] = True  # an island within a hole
    touching[2:10, 2:10] = touching[10:15, 10:20] = touching[15:16, 5:10] = touching[20:30, 30] = True
    corners[0, 0] = corners[-1, -1] = corners[0, -1] = corners[-1, 0] = True
    small = np.random.default_rng(0).random((41, 29)) < 0.5
    return {
        "P1-thin": thin,
        "P1-holes": holes,
        "P1-touching": touching,
        "P2-corners": corners,
        "P2-empty": np.zeros((ROWS, COLUMNS), bool),
        "P2-full": np.ones((ROWS, COLUMNS), bool),
        "P2-noise": small,
    }


def called(python, script, folder, masks):
    """Run a tool's script; what it read, by case."""
    np.savez(folder / "masks.npz", **masks)
    done = subprocess.run([python, "-I", SCRIPTS / script, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    if not (folder / "read.npz").exists():
        return {}
    with np.load(folder / "read.npz") as read:
        return {name: mask.astype(bool) for name, mask in read.items()}


def both_ways(python, script, folder, kind):
    """What a tool read of the kit's export, the folder of what it wrote, and the masks."""
    masks = drawn()
    (folder / "given").mkdir()
    cases = [SentCase(name, Image.new("RGB", mask.shape[::-1], (7, 7, 7)), mask) for name, mask in masks.items()]
    write_cases(kind, folder / "given", cases, SENT)
    return called(python, script, folder, masks), folder / "theirs", masks


def same(found, masks):
    assert found.keys() == masks.keys()
    assert [name for name, mask in masks.items() if not np.array_equal(found[name], mask)] == []


def came(folder, frames=(), **choice):
    """What the kit reads of a folder, by case, and how many images nothing was drawn on."""
    given = read_masks(folder, kind_of(folder), frames, VesselChoice(**choice))
    return {one.name.rpartition("/")[2]: one.read() for one in given.masks}, given.untouched


def without_empty(masks):
    """Masks that a format has a shape for."""
    return {name: mask for name, mask in masks.items() if mask.any()}


@pytest.mark.parametrize("kind", [Exchange.LABELME, Exchange.LABELME_POLYGONS])
def test_labelme(tmp_path, kind):
    python = built_python("labelme", ("labelme==6.3.1",), installed=True)
    read, theirs, masks = both_ways(python, "labelme_files.py", tmp_path, kind)
    if kind is Exchange.LABELME:
        same(read, masks)
    else:  # its own drawing adds what an outline touches, and loses nothing
        assert all((read[name] | ~mask).all() for name, mask in masks.items())
    found, untouched = came(theirs)
    assert untouched == 1
    same(found, without_empty(masks))


def test_label_studio(tmp_path):
    python = built_python("label_studio", ("label-studio-sdk==2.1.2",), installed=True)
    read, theirs, masks = both_ways(python, "label_studio_files.py", tmp_path, Exchange.LABEL_STUDIO)
    same(read, without_empty(masks))
    found, untouched = came(theirs)
    assert untouched == 1
    same(found, without_empty(masks))


def test_datumaro(tmp_path):
    python = built_python("datumaro", ("datumaro==1.13.12",), installed=True)
    read, theirs, masks = both_ways(python, "datumaro_files.py", tmp_path, Exchange.COCO)
    same(read, masks)
    found, untouched = came(theirs)
    assert untouched == 1
    same(found, without_empty(masks))


def test_simpleitk_and_nibabel(tmp_path):
    python = built_python("nifti", ("SimpleITK==2.5.7", "nibabel==5.4.2", "numpy"), installed=True)
    read, theirs, masks = both_ways(python, "nifti_files.py", tmp_path, Exchange.NIFTI)
    for tool in ("itk", "nibabel"):
        same({name.partition("/")[2]: mask for name, mask in read.items() if name.startswith(tool)}, masks)
        same(came(theirs / tool)[0], masks)


def test_nnunet(tmp_path):
    """Only what its check needs; torch is the one of the tests."""
    needs = ("pandas", "SimpleITK==2.5.7", "nibabel==5.4.2", "tifffile", "scikit-image", "tqdm", "blosc2")
    own = ("nnunetv2==2.8.1", "acvl-utils==0.2.6", "batchgenerators==0.25.5")
    python = built_python("nnunet", needs, common_python(), installed=True, alone=own)
    read, theirs, masks = both_ways(python, "nnunet_files.py", tmp_path, Exchange.NNUNET)
    same(read, masks)
    for ending in ("png", "nii"):
        assert kind_of(theirs / ending) is Exchange.NNUNET
        same(came(theirs / ending)[0], masks)


def stack():
    """A mask for each of three frames, the second empty."""
    masks = drawn()
    return {name: masks[name] for name in ("P1-thin", "P2-empty", "P1-holes")}


def by_frame(*masks):
    return {f"case-{place}": mask for place, mask in enumerate(masks) if mask is not None}


def test_highdicom_and_pydicom_read_a_segmentation_of_a_cine(tmp_path):
    python = built_python("highdicom", ("highdicom==0.28.2",), installed=True)
    masks = [mask for mask in drawn().values() if mask.shape == (ROWS, COLUMNS)]
    source = write(tmp_path / "cine.dcm", angiogram(np.zeros((len(masks), ROWS, COLUMNS)), 8))
    cases = [
        SentCase(
            f"P1-{index}",
            Image.new("RGB", (COLUMNS, ROWS)),
            mask,
            frame=Frame(f"P1-{index}", source, index),
            made_by=MadeBy(Making.MANUAL),
        )
        for index, mask in enumerate(masks)
    ]
    (tmp_path / "given").mkdir()
    write_cases(Exchange.DICOM_SEG, tmp_path / "given", cases, replace(SENT, identity=Identity.SOURCE))
    called(python, "highdicom_reading.py", tmp_path, {})
    assert np.array_equal(np.load(tmp_path / "read_by_frame.npy").astype(bool), masks)
    assert np.array_equal(dcmread(next((tmp_path / "given/segmentations").iterdir())).pixel_array, masks)


def test_highdicom_writes_segmentations_of_every_type(tmp_path):
    python = built_python("highdicom", ("highdicom==0.28.2",), installed=True)
    frames = placed_frames(tmp_path / "sources", 3, ROWS, COLUMNS)
    masks = stack()
    called(python, "highdicom_files.py", tmp_path, masks)
    thin, empty, holes = masks.values()
    files = {path.stem: path for path in (tmp_path / "theirs").iterdir()}
    same(came(files["binary"], frames)[0], by_frame(thin, None, holes))
    assert came(files["binary"], frames)[1] == 1  # highdicom leaves empty frames out
    same(came(files["reversed"], frames)[0], by_frame(thin, None, holes))
    for name in ("two_segments", "labelmap", "labelmap_rle"):
        with pytest.raises(RefusedInput, match="found 'catheter', 'vessel'.*--vessel LABEL"):
            came(files[name], frames)
        found, untouched = came(files[name], frames, vessel=("vessel",))
        expected = by_frame(thin, None if name == "two_segments" else empty, holes)
        same(found, expected)
        assert untouched == 3 - len(expected)
    for name in ("probability", "probability_rle"):
        with pytest.raises(RefusedInput, match="Say it with --threshold"):
            came(files[name], frames)
        same(came(files[name], frames, threshold=0.5)[0], by_frame(thin, empty, holes))
        assert all(mask.all() for mask in came(files[name], frames, threshold=0.2)[0].values())
    with pytest.raises(RefusedInput, match="found OCCUPANCY"):
        came(files["occupancy"], frames, threshold=0.5)


def test_dcmqi_writes_segmentations(tmp_path):
    python = built_python("dcmqi", ("dcmqi==1.5.7", "SimpleITK==2.5.7", "numpy"), installed=True)
    frames = placed_frames(tmp_path / "sources", 3, ROWS, COLUMNS)
    masks = stack()
    called(python, "dcmqi_files.py", tmp_path, masks)
    thin, empty, holes = masks.values()
    same(came(tmp_path / "theirs/binary.dcm", frames)[0], by_frame(thin, empty, holes))
    same(came(tmp_path / "theirs/labelmap.dcm", frames)[0], by_frame(thin, None, holes))  # empty slices are left out
    with pytest.raises(RefusedInput, match="deflated DICOM files are not read"):
        came(tmp_path / "theirs/deflated.dcm", frames)
