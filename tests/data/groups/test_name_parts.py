"""Texts at their places in names: equal for one patient, and found wherever a name of that shape lies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.data.groups.name_parts import parts_of, place_in, word, words_of

RUNS = st.lists(
    st.one_of(st.text("abXy", min_size=1, max_size=3), st.integers(0, 9999).map(str)), min_size=1, max_size=4
)


def place_of(name, text):
    start = name.index(text)
    return place_in(name, (start, start + len(text)))


@given(RUNS, st.data())
def test_the_part_at_its_place_is_among_the_parts_of_the_name(runs, data):
    text = data.draw(st.sampled_from(runs))
    name = "data/images/" + "_".join(runs) + ".png"
    start = name.index("/images/") + len("/images/") + sum(len(run) + 1 for run in runs[: runs.index(text)])
    place = place_in(name, (start, start + len(text)))
    found = list(parts_of("elsewhere/" + "_".join(runs) + ".jpg"))
    assert place.part(text) in {part for part, _, _ in found}
    assert place.form(text) in {form for _, form, _ in found} and place.shaped in {shape for _, _, shape in found}


def test_another_spelling_is_the_same_part_and_another_number_is_not():
    place = place_of("P012_S1_003.png", "P012")
    parts = {part for part, _, _ in parts_of("x/p12_s01_7.png")}
    assert place.part("P012") in parts and place.part("P13") not in parts
    assert place.part("12") not in parts  # the number alone stands at another place


def test_a_text_that_is_cut_out_of_a_number_or_a_word_has_no_place():
    for text in ("P12", "abc", "ab", "12"):
        assert place_of("P120045_abcd.png", text) is None
    assert place_in("P1/2.png", (0, 4)) is None and place_in("P1.png", (0, 0)) is None


def test_a_part_of_a_folder_holds_with_all_below_it():
    place = place_of("P12/S1/003.png", "P12")
    assert place.part("P12") in {part for part, _, _ in parts_of("/mnt/P12/S4/images/9.png")}  # images/ does not count
    assert place.part("P12") not in {part for part, _, _ in parts_of("P12/9.png")}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("train/P12_S3_045.png", {"p12", "p12_s3", "p12_s3_45"}),
        ("P12/045.png", {"p12"}),
        ("00012_3.png", set()),
        ("angio_P12.png", {"angio_p12"}),
    ],
)
def test_words(name, words):
    assert set(words_of(name)) == {f"word\0{one}" for one in words}


def test_a_number_alone_or_a_name_alone_is_no_word():
    assert word("12") is None and word("Doe") is None and word("P 012") == "word\0p12"
