import pytest

from helpers.checkpoints.read.inspection_text import bytes_text, printable, shown


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1_234_567, "1.23 MB"),
        (999_999, "1 MB"),
        (32_122_400_968, "32.1 GB"),
        (999_499, "999 kB"),
        (10**12, "1 TB"),
        (10**15, "1e+03 TB"),
    ],
)
def test_bytes_text(size, expected):
    assert bytes_text(size) == expected


def test_shown():
    assert [shown(value) for value in (None, 8.0, ["a", "b"], [], 3)] == ["unknown", "8", "a b", "none", "3"]


def test_printable_keeps_lines():
    assert printable("a\n\tb\x1b[0m\x07é") == "a\n\tb?[0m?é"
