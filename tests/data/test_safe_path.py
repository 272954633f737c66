"""Paths out of a data set's own files stay inside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.data.layouts.file_walk import UnsafePath, inside, leads_inside


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a.png", "a.png"),
        ("images/a.png", "images/a.png"),
        ("images\\a.png", "images/a.png"),
        ("./x//a.png", "x/a.png"),
    ],
)
def test_relative_paths_are_joined(tmp_path, given, expected):
    assert inside(tmp_path, given) == tmp_path / expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("/etc/passwd", "absolute"),
        ("\\\\host\\share\\a.png", "absolute"),
        ("C:/a.png", "absolute"),
        ("c:a.png", "absolute"),
        ("../a.png", r"'\.\.'"),
        ("images/../../a.png", r"'\.\.'"),
        ("images\\..\\a.png", r"'\.\.'"),
        ("~/a.png", "'~'"),
        ("a\0.png", "control character"),
        ("a\n.png", "control character"),
        ("", "empty"),
        ("  ", "empty"),
        ("./", "empty"),
        (None, "no text"),
        (3, "no text"),
        ("x" * 5000, "link"),
    ],
)
def test_others_are_refused_with_a_reason_that_does_not_repeat_them(tmp_path, given, reason):
    with pytest.raises(UnsafePath, match=reason) as refusal:
        inside(tmp_path, given)
    assert "passwd" not in refusal.value.reason


def test_links_are_followed_inside_alone(tmp_path):
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    (tmp_path / "secret.png").touch()
    (root / "images/a.png").touch()
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "up").symlink_to(tmp_path)
    (root / "in.png").symlink_to(root / "images/a.png")
    (root / "circle").symlink_to(root / "circle")
    assert inside(root, "in.png") == root / "in.png"
    for name in ("out.png", "up/secret.png", "circle"):
        with pytest.raises(UnsafePath, match="link"):
            inside(root, name)


@given(st.text(alphabet=st.sampled_from(["a", ".", "/", "\\", "~", ":", "\0", " "]), max_size=12))
def test_whatever_comes_stays_inside_or_is_refused(tmp_path_factory, text):
    root = tmp_path_factory.getbasetemp()
    try:
        path = inside(root, text)
    except UnsafePath:
        return
    assert path != root
    assert leads_inside(root, path)
