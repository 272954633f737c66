"""Parts of a name, plain and hashed, and when a file under the same name is another image."""

import hashlib
import hmac

import pytest

from helpers.evaluation.leakage.name_marks import NameMarks, are_different, ends_of, hashed, marks_of, plain, size_of

KEY = bytes(range(32))


@pytest.mark.parametrize("text", ["P1", "Müller", "broken \udc80 byte", ""])
def test_a_hash_is_the_first_half_of_hmac_sha256(text):
    found = hashed(KEY)(text)
    content = text.encode("utf-8", "surrogateescape")
    assert found == hmac.new(KEY, content, hashlib.sha256).hexdigest()[:32]
    assert plain(text) == text and hashed(bytes(32))(text) != found


def test_the_marks_of_a_name(tmp_path):
    file = tmp_path / "P1_2.PNG"
    file.write_bytes(b"12345")
    found = marks_of("a/P1_2.png", plain, file)
    assert found.ends == ("end\0P1_2", "end\0a/P1_2") == ends_of("a/P1_2.png", plain)
    assert found.file == file and found.size == ("suffix\0.png", "size\0P1_2.PNG\0005")
    assert found.words == {"word\0p1", "word\0p1_2"} and any(part.endswith("\0p1") for part in found.parts)
    kinds = {form.partition("\0")[0] for form in found.forms}
    assert kinds == {"form", "shape"}
    bare = marks_of("a/P1_2.png", plain)
    assert (bare.file, bare.size, bare.parts) == (None, None, found.parts)


def test_every_mark_is_hashed(tmp_path):
    (tmp_path / "P1_2.png").touch()
    mark = hashed(KEY)
    one, other = (marks_of("a/P1_2.png", how, tmp_path / "P1_2.png") for how in (plain, mark))
    assert other.ends == tuple(map(mark, one.ends)) and other.size == tuple(map(mark, one.size))
    for name in ("words", "parts", "forms"):
        assert getattr(other, name) == set(map(mark, getattr(one, name)))


def test_a_file_that_is_gone_has_no_size(tmp_path):
    assert size_of(tmp_path / "gone.png", plain) is None
    assert marks_of("gone.png", plain, tmp_path / "gone.png").size is None


def written(folder, name, content):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "bytes_differ", "sizes_differ"),
    [
        ("a.png", b"123", False, False),
        ("a.png", b"124", True, False),
        ("a.png", b"12", True, True),
        ("a.jpg", b"12", False, False),  # of another suffix: saved anew, and nobody knows from what
    ],
)
def test_bytes_decide_where_both_are_here_else_sizes(tmp_path, name, content, bytes_differ, sizes_differ):
    trained, scored = written(tmp_path / "t", "a.png", b"123"), written(tmp_path / "s", name, content)
    assert are_different(marks_of("a.png", plain, trained), scored, plain) is bytes_differ
    kept = NameMarks(("a",), None, size_of(trained, plain))
    assert are_different(kept, scored, plain) is sizes_differ
    assert are_different(NameMarks(("a",)), scored, plain) is False


def test_the_same_file_and_one_that_is_gone_are_not_different(tmp_path):
    trained = written(tmp_path / "t", "a.png", b"123")
    assert are_different(marks_of("a.png", plain, trained), trained, plain) is False
    assert are_different(marks_of("a.png", plain, trained), tmp_path / "gone.png", plain) is False
    kept = NameMarks(("a",), None, size_of(trained, plain))
    assert are_different(kept, tmp_path / "gone.png", plain) is False


def test_what_is_shown_names_nobody(tmp_path):
    assert "Meier" not in repr(marks_of("Meier_1.png", plain, tmp_path / "Meier_1.png"))
