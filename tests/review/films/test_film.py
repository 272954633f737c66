"""Films are read back, frame by frame."""

import av
import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.review.films.film_export import check_rate, gif_frame, write_gif, write_mp4


def greys(count, height=32, width=48):
    return [np.full((height, width, 3), 20 * number, np.uint8) for number in range(count)]


def test_an_mp4_holds_every_picture_as_h264(tmp_path):
    assert write_mp4(tmp_path / "a.mp4", iter(greys(6)), 4) == 6
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, float(stream.average_rate)) == (48, 32, 4)
        assert container.duration / av.time_base == pytest.approx(1.5)
        found = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert found == pytest.approx([20 * number for number in range(6)], abs=4)


def test_its_index_comes_first_and_equal_pictures_give_equal_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_mp4(tmp_path / name, greys(3), 10)
    content = (tmp_path / "a.mp4").read_bytes()
    assert content == (tmp_path / "b.mp4").read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")


def test_a_gif_repeats_at_its_rate(tmp_path):
    frames = [gif_frame(picture) for picture in greys(3, 40, 2000)]
    write_gif(tmp_path / "a.gif", frames, 8)
    with Image.open(tmp_path / "a.gif") as image:
        assert (image.n_frames, image.info["loop"], image.size) == (3, 0, (960, 19))
        assert image.info["duration"] == 120
        image.seek(2)
        assert image.convert("L").getpixel((0, 0)) == 40


@pytest.mark.parametrize("rate", [0, 0.1, 61, float("nan")])
def test_rates_that_no_film_has(rate):
    with pytest.raises(UsageProblem, match="0.5 to 60 frames a second"):
        check_rate(rate)
