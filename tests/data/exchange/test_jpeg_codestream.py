"""JPEG and JPEG 2000 codestreams keep their pixels and lose their comments."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from helpers.data.exchange.jpeg_codestream import bare_jpeg, bare_jpeg_2000
from tests.support.dicom_files import jpeg_2000_bytes

GREY = np.random.default_rng(3).integers(0, 256, (19, 23), dtype=np.uint8)


def jpeg(mode="L", **how):
    file = BytesIO()
    Image.fromarray(GREY).convert(mode).save(file, "JPEG", **how)
    return file.getvalue()


def decoded(stream):
    return np.asarray(Image.open(BytesIO(stream))).tolist()


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"keep_rgb": True}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_keeps_its_pixels(mode, how):
    texts = {"comment": b"Otto", "exif": b"Exif\0\0Otto", "icc_profile": b"Otto"}
    stream = jpeg(mode, **how, **texts)
    kept = bare_jpeg(stream + b"Otto")
    assert b"Otto" in stream and b"Otto" not in kept
    assert decoded(kept) == decoded(stream)
    assert bare_jpeg(kept) == kept


def test_thumbnails_and_texts_behind_fixed_fields_stay_behind():
    stream = jpeg()
    length = int.from_bytes(stream[4:6], "big")
    assert stream[6:11] == b"JFIF\0" and length == 16
    longer = stream[:4] + (20).to_bytes(2, "big") + stream[6:20] + b"Otto" + stream[20:]
    assert bare_jpeg(longer) == stream[:2] + stream[20:]
    assert bare_jpeg(stream[:2] + b"\xff\xff\xff\xfe\x00\x06Otto" + stream[2:]) == stream  # a fill byte


def test_a_jpeg_2000_loses_its_comments_and_no_pixel():
    stream = jpeg_2000_bytes(GREY, 8)
    at = 4 + int.from_bytes(stream[4:6], "big")
    kept = bare_jpeg_2000(stream[:at] + b"\xff\x64\x00\x08\x00\x01Otto" + stream[at:] + b"Otto")
    assert b"Otto" not in kept and b"\xff\x64" not in kept[: kept.index(b"\xff\x90")]
    assert decoded(kept) == GREY.tolist()
    tile = stream.index(b"\xff\x90")
    assert bare_jpeg_2000(stream[: tile + 6] + bytes(4) + stream[tile + 10 :])[-2:] == b"\xff\xd9"  # to the end


@pytest.mark.parametrize("cut", [0, 1, 3, 30, 200])
@pytest.mark.parametrize("bare", [bare_jpeg, bare_jpeg_2000])
def test_what_cannot_be_followed_is_an_error(bare, cut):
    stream = jpeg() if bare is bare_jpeg else jpeg_2000_bytes(GREY, 8)
    with pytest.raises(ValueError, match="expected"):
        bare(stream[:cut])
    with pytest.raises(ValueError, match="expected"):
        bare(stream[:2] + b"Otto" + stream[2:])


def test_a_comment_in_a_tile_is_an_error():
    stream = jpeg_2000_bytes(GREY, 8)
    at = stream.index(b"\xff\x90") + 12
    with pytest.raises(ValueError, match="found a comment"):
        bare_jpeg_2000(stream[:at] + b"\xff\x64\x00\x08\x00\x01Otto" + stream[at:])
