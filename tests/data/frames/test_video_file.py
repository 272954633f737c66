"""Videos: every frame at its place with its values, in any order, from threads, and up to the damage."""

from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest

from helpers.data.frames import video_file
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.frames.video_file import is_video, read_video_frame, video_frame_count
from tests.support.video_files import steps, write_video


def values(path, index):
    frame = read_video_frame(path, index)
    assert (frame.mode, frame.info) == ("RGB", {})
    return np.asarray(frame)


def test_a_lossless_video_gives_the_values_back(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (5, 17, 23), dtype=np.uint8)
    path = write_video(tmp_path / "a.mkv", frames)
    assert video_frame_count(path) == 5
    for index in range(5):
        assert (values(path, index) == frames[index][..., None]).all()


def test_colour(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    path = write_video(tmp_path / "a.mkv", frames, pixels="bgr0")
    assert (values(path, 1) == frames[1]).all()


@pytest.mark.parametrize("alpha", [255, 254])
def test_frames_with_transparency(tmp_path, alpha):
    frames = np.full((2, 32, 48, 4), 90, np.uint8)
    frames[..., 3] = 255
    frames[1, 5, 5, 3] = alpha
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "bgra"
        for values in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgba")))
        container.mux(stream.encode(None))
    assert np.asarray(read_video_frame(path, 0))[0, 0].tolist() == [90, 90, 90]
    if alpha == 255:
        assert np.asarray(read_video_frame(path, 1))[5, 5].tolist() == [90, 90, 90]
    else:
        with pytest.raises(UnreadableImage, match="1 of 1536 pixels are transparent"):
            read_video_frame(path, 1)


def test_a_layer_of_transparency_that_no_decoder_reads_is_refused(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "gray"
        stream.metadata["alpha_mode"] = "1"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(steps(1)[0], format="gray")))
        container.mux(stream.encode(None))
    with pytest.raises(UnreadableImage, match="a layer of transparency"):
        read_video_frame(path, 0)


def test_deep_grey_keeps_its_range(tmp_path):
    path = write_video(tmp_path / "a.mkv", steps(52), pixels="gray10le")
    for index in (0, 25, 51):
        assert np.abs(values(path, index).astype(int) - 5 * index).max() <= 1


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "mpeg4", "yuv420p"),
        ("a.m4v", "mpeg4", "yuv420p"),
        ("a.mov", "mjpeg", "yuvj444p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mpg", "mpeg1video", "yuv420p"),
        ("a.wmv", "wmv2", "yuv420p"),
    ],
)
def test_common_files(tmp_path, name, codec, pixels):
    path = write_video(tmp_path / name, steps(30), codec, pixels)
    assert is_video(path)
    assert video_frame_count(path) == 30
    for index in (29, 0, 7, 8, 28):
        assert abs(values(path, index).mean() - 5 * index) < 4


def test_any_order(tmp_path):
    path = write_video(tmp_path / "a.mkv", steps(50))
    for index in np.random.default_rng(0).permutation(50).tolist():
        assert (values(path, index) == 5 * index).all()


def test_reading_in_order_decodes_each_frame_once(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mkv", steps(30))
    opened = []
    monkeypatch.setattr(video_file, "_open", lambda *given, real=video_file._open: opened.append(given) or real(*given))
    order = [index ^ 3 for index in range(28)]  # as threads that read ahead ask: 3 2 1 0 7 6 5 4 ...
    assert [int(values(path, index)[0, 0, 0]) for index in order] == [5 * index for index in order]
    assert len(opened) == 1


def test_many_threads_and_more_files_than_stay_open(tmp_path):
    paths = [write_video(tmp_path / f"{name}.mkv", steps(20) + name) for name in range(6)]
    wanted = [(name, index) for index in range(20) for name in range(6)] * 2
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda pair: int(values(paths[pair[0]], pair[1])[0, 0, 0]), wanted))
    assert found == [5 * index + name for name, index in wanted]
    assert len(video_file._decoders) <= 4


def test_a_changed_file_is_read_anew(tmp_path):
    path = write_video(tmp_path / "a.mkv", steps(3))
    assert values(path, 2)[0, 0, 0] == 10
    write_video(path, steps(6) + 100)
    assert values(path, 2)[0, 0, 0] == 110


def test_rotation_of_the_file_is_applied(tmp_path):
    frames = np.zeros((2, 16, 32), np.uint8)
    frames[:, :8, :8] = 200  # upper left
    path = write_video(tmp_path / "a.mp4", frames, "mpeg4", "yuv420p")
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    # a quarter turn to the right, 16.16 fixed point: upper left goes to upper right
    fields = (0, 0x00010000, 0, -0x00010000, 0, 0, 0, 0, 0x40000000)
    data[matrix : matrix + 36] = b"".join(field.to_bytes(4, "big", signed=True) for field in fields)
    path.write_bytes(data)
    turned = values(path, 0)
    assert turned.shape == (32, 16, 3)
    assert turned[:6, 10:].min() > 150
    assert turned[:6, :6].max() < 50


def test_a_damaged_tail_leaves_the_frames_before_it(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (12, 64, 64), dtype=np.uint8)
    path = write_video(tmp_path / "a.mkv", frames)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    for index in range(6):
        assert (values(path, index) == frames[index][..., None]).all()
    for index in (8, 11):
        with pytest.raises(UnreadableImage):
            read_video_frame(path, index)
    assert (values(path, 0) == frames[0][..., None]).all()
    assert 6 <= video_frame_count(path) <= 12


def test_damage_in_the_middle_is_not_painted_over(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (12, 64, 64), dtype=np.uint8)
    path = write_video(tmp_path / "a.mp4", frames, "mpeg4", "yuv420p")
    before = values(path, 2)
    data = bytearray(path.read_bytes())
    middle = len(data) * 6 // 10
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    assert video_frame_count(path) == 12
    assert (values(path, 2) == before).all()
    for index in (9, 11):
        with pytest.raises(UnreadableImage, match="damaged"):
            read_video_frame(path, index)


def test_refusals(tmp_path):
    path = write_video(tmp_path / "a.mkv", steps(3))
    for index in (-1, 3):
        with pytest.raises(UnreadableImage, match="frame"):
            read_video_frame(path, index)
    with pytest.raises(UnreadableImage, match="at most 1,000"):
        read_video_frame(write_video(tmp_path / "large.mkv", steps(1)), 0, max_pixels=1000)
    (tmp_path / "text.mp4").write_text("Quibblewick")
    (tmp_path / "empty.avi").write_bytes(b"")
    for name in ("text.mp4", "empty.avi", "missing.mov"):
        for read in (video_frame_count, lambda path: read_video_frame(path, 0)):
            with pytest.raises(UnreadableImage, match="cannot be decoded"):
                read(tmp_path / name)


def test_a_file_of_sound_alone_is_refused(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(UnreadableImage, match="no video stream"):
        video_frame_count(path)


def test_a_playlist_does_not_open_other_files(tmp_path):
    write_video(tmp_path / "other.mkv", steps(3))
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile other.mkv\n")
    (tmp_path / "b.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mkv\n#EXT-X-ENDLIST\n")
    for name in ("a.mp4", "b.mp4"):
        with pytest.raises(UnreadableImage):
            read_video_frame(tmp_path / name, 0)
