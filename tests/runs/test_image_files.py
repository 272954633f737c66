"""A changed image file is noticed; one that is as it was need not be read."""

import os
from dataclasses import replace

import pytest
from PIL import Image

from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import current_sha256, pixel_sha256
from helpers.runs.provenance import file_state, is_as_found, source_path, write_source


@pytest.fixture
def frame(tmp_path):
    path = tmp_path / "Doe.png"
    Image.new("RGB", (3, 2), (1, 2, 3)).save(path)
    return Frame("c1", path)


def test_a_file_in_its_kept_state_is_as_found(frame, tmp_path):
    run = tmp_path / "run"
    assert not is_as_found(run, frame)
    write_source(run, "c1", file_state(frame.path))
    assert is_as_found(run, frame)
    source_path(run, "c1").write_text("{}")
    assert not is_as_found(run, frame)


def change_one_byte(path):
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def exchange(path):
    other = path.with_name("other.png")
    other.write_bytes(path.read_bytes())
    os.replace(other, path)


@pytest.mark.parametrize("change", [change_one_byte, exchange, os.unlink])
def test_any_change_of_a_file_is_another_state(frame, tmp_path, change):
    write_source(tmp_path / "run", "c1", file_state(frame.path))
    change(frame.path)
    assert not is_as_found(tmp_path / "run", frame)


def test_a_frame_read_with_another_depth_is_another_state(frame, tmp_path):
    for kept, now in ((None, 12), (10, 12), (12, None)):
        write_source(tmp_path / "run", "c1", file_state(frame.path, kept))
        assert not is_as_found(tmp_path / "run", replace(frame, bits=now))
        assert is_as_found(tmp_path / "run", replace(frame, bits=kept))


def test_the_kept_state_tells_no_time_and_no_name(frame, tmp_path):
    write_source(tmp_path / "run", "c1", file_state(frame.path))
    text = source_path(tmp_path / "run", "c1").read_text()
    assert "Doe" not in text and str(frame.path.stat().st_mtime_ns) not in text


def test_the_hash_is_of_the_pixels_and_absent_for_an_unreadable_file(frame):
    assert current_sha256(frame) == pixel_sha256(Image.new("RGB", (3, 2), (1, 2, 3)))
    assert current_sha256(Frame("c1", frame.path, index=4)) is None
    frame.path.write_bytes(b"broken")
    assert current_sha256(frame) is None
    assert file_state(frame.path.with_name("none")) is None


def test_a_state_counts_for_the_pixels_that_were_found_in_it(frame, tmp_path):
    run = tmp_path / "run"
    write_source(run, "c1", file_state(frame.path), "aa")
    assert is_as_found(run, frame, "aa") and is_as_found(run, frame) and not is_as_found(run, frame, "bb")
    source_path(run, "c1").write_text(f'{{"state": "{file_state(frame.path)}"}}')  # as earlier versions kept it
    assert is_as_found(run, frame, "aa")
