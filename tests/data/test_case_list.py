"""Lists of cases: those of the data set, in its order, and none that it lacks."""

from pathlib import Path

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.cases import listed
from helpers.data.frames.frame import Frame

FRAMES = tuple(Frame(name, Path(f"{name}.png")) for name in "abcd")


def test_listed_frames_come_in_the_order_of_the_data_set(tmp_path):
    path = tmp_path / "rejected.txt"
    path.write_text("\ufeffc\n\n a \nc\n", encoding="utf-8")
    assert [frame.case_id for frame in listed(FRAMES, path)] == ["a", "c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nx\n", "x are not in it"),
        (b"t\nu\nv\nw\nx\n", "t, u, v and 2 more are not in it"),
        (b" \n", "found none"),
        (b"\xff\xfe\x00", "UnicodeDecodeError"),
        (None, "FileNotFoundError"),
    ],
)
def test_lists_that_cannot_be_meant_are_refused(tmp_path, content, message):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RefusedInput, match=message):
        listed(FRAMES, path)
