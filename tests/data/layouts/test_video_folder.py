"""A folder of videos becomes one sequence for each."""

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.layouts.series_folders import read_video
from tests.support.video_files import steps, write_video


def test_each_video_is_one_sequence(tmp_path):
    write_video(tmp_path / "b" / "run10.mkv", steps(2))
    write_video(tmp_path / "b" / "run2.AVI", steps(11))
    reading = read_video(tmp_path)
    assert (reading.layout, reading.public, reading.notes) == ("video", False, ())
    names = [record.name for record in reading.records]
    assert names == [f"b/run2.AVI#{index:02}" for index in range(11)] + ["b/run10.mkv#0", "b/run10.mkv#1"]
    record = reading.records[10]
    assert (record.index, record.number, record.patient, record.sequence) == (10, 11, None, "b/run2.AVI")
    assert record.path == tmp_path / "b" / "run2.AVI"
    assert record.truth is None


def test_damaged_videos_and_links_are_counted(tmp_path):
    root = tmp_path / "root"
    write_video(root / "good.mkv", steps(1))
    (root / "bad.mp4").write_bytes(b"nothing of the kind")
    (root / "out.mkv").symlink_to(write_video(tmp_path / "out.mkv", steps(1)))
    reading = read_video(root)
    assert [(record.name, record.index) for record in reading.records] == [("bad.mp4", None), ("good.mkv#0", 0)]
    assert [note.split()[:2] for note in reading.notes] == [["1", "videos"], ["1", "links"]]


def test_nothing_found(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(RefusedInput, match="found 1 other file"):
        read_video(tmp_path)
