"""What is written in a format is known by its content, and read back without a pixel lost."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import SEGMENTATIONS, Exchange
from helpers.data.exchange.exchange_formats import kind_of, read_masks, write_cases
from helpers.data.exchange.exchanged import SentCase, SentSet
from helpers.data.frames.frame_source import read_frame

SENT = SentSet("vessel", "Masks for a test.", True)
OF_ANY_FRAME = [kind for kind in Exchange if kind not in SEGMENTATIONS]
MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)).filter(np.any)


def sent(**masks):
    """Grey frames with these masks, by case id with `_` for `-`."""
    return [
        SentCase(name.replace("_", "-"), Image.new("RGB", mask.shape[::-1], (9, 9, 9)), mask)
        for name, mask in masks.items()
    ]


def back(folder, kind=None):
    return {one.name.rpartition("/")[2]: one.read() for one in read_masks(folder, kind or kind_of(folder)).masks}


@pytest.mark.parametrize("kind", OF_ANY_FRAME)
@given(first=MASKS, second=MASKS)
@settings(max_examples=20, deadline=None)
def test_masks_come_back_pixel_for_pixel(tmp_path_factory, kind, first, second):
    folder = tmp_path_factory.mktemp("sent")
    write_cases(kind, folder, sent(P1_F1=first, P2_F1=second), SENT)
    assert kind_of(folder) == (Exchange.LABELME if kind is Exchange.LABELME_POLYGONS else kind)
    found = back(folder)
    assert found.keys() == {"P1-F1", "P2-F1"}
    assert np.array_equal(found["P1-F1"], first) and np.array_equal(found["P2-F1"], second)


@pytest.mark.parametrize("kind", OF_ANY_FRAME)
def test_frames_are_written_with_their_pixels(tmp_path, kind):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    case = SentCase("a", Image.fromarray(grey).convert("RGB"), grey > 5)
    write_cases(kind, tmp_path, [case], SENT)
    image = next(path for path in sorted(tmp_path.rglob("a*")) if "image" in path.parent.as_posix().lower())
    if kind is not Exchange.NIFTI:
        assert np.array_equal(np.asarray(Image.open(image)), grey)


@pytest.mark.parametrize("kind", OF_ANY_FRAME)
def test_what_a_picture_says_of_itself_stays_behind(tmp_path, kind):
    texts, tags = PngInfo(), Image.Exif()
    texts.add_text("Author", "Quibblewick")
    texts.add_itxt("XML:com.adobe.xmp", "<x>Quibblewick</x>")
    tags[0x010E] = tags[0x013B] = "Quibblewick"
    source = tmp_path / "a.png"
    Image.new("L", (3, 2), 7).save(source, pnginfo=texts, exif=tags, icc_profile=b"Quibblewick")
    assert source.read_bytes().count(b"Quibblewick") >= 4
    (tmp_path / "out").mkdir()
    case = SentCase("a", read_frame(source, None), np.ones((2, 3), bool))
    write_cases(kind, tmp_path / "out", [case], SENT)
    files = [path.read_bytes() for path in (tmp_path / "out").rglob("*.*")]
    assert files and not [one for one in files if b"ibble" in (gzip.decompress(one) if one[:2] == b"\x1f\x8b" else one)]


@pytest.mark.parametrize("kind", [Exchange.PNG, Exchange.NNUNET, Exchange.NIFTI])
def test_an_empty_mask_is_one_where_a_file_states_every_pixel(tmp_path, kind):
    write_cases(kind, tmp_path, sent(a=np.zeros((3, 4), bool), b=np.ones((3, 4), bool)), SENT)
    assert not back(tmp_path)["a"].any()


@pytest.mark.parametrize("kind", [Exchange.LABELME, Exchange.COCO, Exchange.LABEL_STUDIO])
def test_an_image_that_nothing_was_drawn_on_is_counted_and_no_mask(tmp_path, kind):
    write_cases(kind, tmp_path, sent(a=np.zeros((3, 4), bool), b=np.ones((3, 4), bool)), SENT)
    found = read_masks(tmp_path, kind)
    assert [one.name.rpartition("/")[2] for one in found.masks] == ["b"] and found.untouched == 1


def test_suggestions_of_label_studio_are_no_annotations(tmp_path):
    write_cases(Exchange.LABEL_STUDIO, tmp_path, sent(a=np.ones((2, 2), bool)), SentSet("x", "y", False))
    assert read_masks(tmp_path, Exchange.LABEL_STUDIO).untouched == 1
    assert "predictions" in json.loads((tmp_path / "tasks.json").read_text())[0]


def test_the_format_is_found_or_asked_for(tmp_path):
    with pytest.raises(RefusedInput, match="expected masks as png, labelme.*, found none"):
        kind_of(tmp_path)
    for kind in (Exchange.COCO, Exchange.LABELME):
        (tmp_path / kind).mkdir()
        write_cases(kind, tmp_path / kind, sent(a=np.ones((2, 2), bool)), SENT)
    with pytest.raises(RefusedInput, match="found coco and labelme. Say which with --as"):
        kind_of(tmp_path)
    assert kind_of(tmp_path / "coco/annotations/instances_default.json") is Exchange.COCO
    assert back(tmp_path, Exchange.LABELME).keys() == {"a"}
    with pytest.raises(RefusedInput, match="expected masks as nifti, found none"):
        read_masks(tmp_path, Exchange.NIFTI)
    with pytest.raises(RefusedInput, match="expected nnU-Net's dataset.json"):
        read_masks(tmp_path, Exchange.NNUNET)


@pytest.mark.parametrize("kind", [Exchange.NIFTI, Exchange.NNUNET])
def test_frames_in_colour_and_missing_masks_are_refused_where_a_format_lacks_them(tmp_path, kind):
    mask = np.ones((2, 2), bool)
    with pytest.raises(RefusedInput, match="expected a grey frame"):
        write_cases(kind, tmp_path, [SentCase("a", Image.new("RGB", (2, 2), (1, 2, 3)), mask)], SENT)


@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_cases_keep_their_order_and_flags(tmp_path_factory, data):
    flags = data.draw(st.lists(st.sampled_from(["fix", "reject"]), unique=True))
    folder = tmp_path_factory.mktemp("flags")
    case = SentCase("a", Image.new("RGB", (2, 2)), np.ones((2, 2), bool), flags)
    write_cases(Exchange.LABELME, folder, [case], SENT)
    assert json.loads((folder / "labelme/a.json").read_text())["flags"] == dict.fromkeys(flags, True)
