"""Spellings of one patient are one, and patients that are truly different stay apart."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.data.groups.name_parts import folded, spellings, spellings_text

LETTERS = st.text("PQRÄÉñüabck", min_size=1, max_size=4)
NUMBERS = st.integers(0, 99999).map(str)


@st.composite
def names(draw):
    """Runs of letters and numbers, one after the other or with a separator between."""
    parts = draw(st.lists(st.one_of(LETTERS, NUMBERS), min_size=1, max_size=4))
    return "".join(f"{part}{draw(st.sampled_from(['-', '_', '/', '']))}" for part in parts).strip("-_/")


@st.composite
def respelled(draw, name):
    """The same name in another spelling."""
    text = "".join(draw(st.sampled_from([sign, sign.upper(), sign.lower()])) for sign in name)
    text = "".join(
        ("0" * draw(st.integers(0, 3)) if sign.isdigit() and not text[:at][-1:].isdigit() else "") + sign
        for at, sign in enumerate(text)
    )
    text = unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), text)
    return draw(st.sampled_from(["", " ", "\t", "\u00a0", "\ufeff"])) + text + draw(st.sampled_from(["", "  ", "\n"]))


@given(st.data())
def test_every_spelling_folds_to_the_same(data):
    name = data.draw(names().filter(bool))
    assert folded(data.draw(respelled(name))) == folded(name)


@given(names(), names())
def test_what_differs_in_more_than_spelling_stays_apart(one, other):
    def key(text):
        """Letters without case, numbers by their value, separators: what a spelling keeps."""
        signs = unicodedata.normalize("NFC", text.casefold())
        runs, last = [], ""
        for sign in signs:
            if sign.isdigit() and last.isdigit():
                runs[-1] += sign
            else:
                runs.append(sign)
            last = sign
        return [int(run) if run.isdigit() else run for run in runs]

    assert (folded(one) == folded(other)) == (key(one) == key(other))


@pytest.mark.parametrize(
    "group",
    [
        ["P12", "p12", "P012", " P12 ", "P 12", "P\u00a012", "P0012"],
        ["12", " 12", "012", "12\t", "\ufeff12"],
        ["Jürgen", "Ju\u0308rgen", "JÜRGEN"],
        ["12a", "012A", "12 a"],
        ["van Dyk", "VAN  DYK"],
        ["0", "000"],
    ],
)
def test_spellings_of_one_patient(group):
    assert len({folded(name) for name in group}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("P12", "P112"),
        ("P12", "P120"),
        ("P1-2", "P12"),
        ("P1-2", "P1_2"),
        ("P1 2", "P12"),
        ("1 2", "12"),
        ("12a", "12b"),
        ("12a", "12"),
        ("1.05", "1.5"),
        ("Jürgen", "Jurgen"),
        ("van Dyk", "vanDyk"),
        ("P12", "Q12"),
    ],
)
def test_different_patients(one, other):
    assert folded(one) != folded(other)


def test_ids_are_united_under_one_of_the_data_set():
    found = spellings({"P12": "P007", "p12": "P003", "P012": "P005", "P13": "P009"}, first=["P005", "P007"])
    assert found.united == dict.fromkeys(("P007", "P003", "P005"), "P005")
    assert [found.of(one) for one in ("P003", "P009", None)] == ["P005", "P009", None]
    assert found.among(["P003", "P007", "P009", None, "P003"]) == (2, 1)


def test_the_warning_counts_and_names_nobody():
    found = spellings({"Doe 1": "a", "doe 01": "b", "Roe": "c", "ROE": "d", "roe": "e"})
    said = spellings_text(found, "abcde")
    assert said.startswith("5 patient ids are spellings of 2 patients") and "doe" not in said.casefold()
    assert spellings_text(found, "ab").startswith("2 patient ids are spellings of 1 patient (")
    assert spellings_text(found, "ac") is None
