"""Ids that say nothing, and stay what they are."""

import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.data.cases import Record
from helpers.data.ids.case_ids import GivenIds, assign, keep_original_names

KEY = bytes(range(32))
NAMES = st.lists(
    st.tuples(
        st.sampled_from(["Mueller", "Lopez", "Ivanova", None]),
        st.sampled_from(["lca", "rca", None]),
        st.sampled_from([3, 34, 1200, None]),
    ),
    min_size=1,
    max_size=12,
)


def record(name, patient=None, sequence=None, number=None):
    return Record(name, Path("/data") / name, patient=patient, sequence=sequence, number=number)


def records_of(groups):
    return tuple(
        record(f"{patient}/{sequence}/{number}-{position}.png", patient, sequence, number)
        for position, (patient, sequence, number) in enumerate(groups)
    )


def ids_of(records, taken=GivenIds(), key=KEY):  # noqa: B008 (frozen)
    names, _ = assign(records, taken, key)
    return {found.name: given.case_id for found, given in zip(records, names, strict=True)}


def test_the_form_of_an_id_says_what_is_known():
    names, _ = assign(
        [record("a", "A", "s", 34), record("b", "B"), record("c", None, "s"), record("d")], GivenIds(), KEY
    )
    forms = [r"P\d{3}-S\d\d-F034", r"P\d{3}-F\d{3}", r"S\d{3}-F\d{3}", r"C\d{4}"]
    assert all(re.fullmatch(form, found.case_id) for form, found in zip(forms, names, strict=True))
    assert (names[0].patient, names[0].sequence) == (names[0].case_id[:4], names[0].case_id[:8])
    assert (names[1].patient, names[1].sequence) == (names[1].case_id[:4], None)
    assert (names[2].patient, names[3].patient, names[3].sequence) == (None, None, None)


@settings(max_examples=60, deadline=None)
@given(NAMES, st.randoms(use_true_random=False))
def test_the_order_of_files_plays_no_part(groups, random):
    records = records_of(groups)
    shuffled = list(records)
    random.shuffle(shuffled)
    assert ids_of(records) == ids_of(tuple(shuffled))


@settings(max_examples=60, deadline=None)
@given(NAMES, NAMES)
def test_added_files_change_no_id(before, after):
    old = records_of(before)
    new = tuple(record(f"new-{found.name}", found.patient, found.sequence, found.number) for found in records_of(after))
    _, taken = assign(old, GivenIds(), KEY)
    again = ids_of((*new, *old), taken)
    assert {found.name: again[found.name] for found in old} == ids_of(old)
    assert len(set(again.values())) == len(again)


@settings(max_examples=60, deadline=None)
@given(NAMES)
def test_no_id_holds_a_part_of_a_name(groups):
    for case_id in ids_of(records_of(groups)).values():
        assert re.fullmatch(r"([PSFC]\d{2,5})(-[SF]\d{2,5})*", case_id)


def test_a_number_that_two_frames_share_is_no_number():
    found = ids_of([record("a", "A", "s", 5), record("b", "A", "s", 5), record("c", "A", "s", 6)])
    assert len(set(found.values())) == 3
    assert found["c"].endswith("-F006")


def test_another_key_gives_other_ids():
    records = tuple(record(f"{number}.png") for number in range(20))
    one, other = ids_of(records), ids_of(records, key=bytes(32))
    assert sum(one[name] == other[name] for name in one) < 3


def test_the_space_is_larger_than_the_count_and_grows():
    many = tuple(record(f"{number}.png", patient=f"{number}") for number in range(300))
    names, taken = assign(many, GivenIds(), KEY)
    assert {len(found.patient) for found in names} == {5}
    more = tuple(record(f"{number}.png", patient=f"{number}") for number in range(5200))
    names, _ = assign(more, taken, KEY)
    assert len({int(found.patient[1:]) for found in names}) == 5200
    assert {found.name: given.patient for found, given in zip(more, names, strict=True)}["7.png"] == taken.patients["7"]


def test_the_same_sequence_name_in_two_patients_is_two_sequences():
    names, _ = assign([record("a", "A", "s", 1), record("b", "B", "s", 1)], GivenIds(), KEY)
    assert names[0].sequence != names[1].sequence


def test_kept_ids_are_stems_or_paths_and_unique():
    names = keep_original_names(
        [record("im/a b.png"), record("x/1.png"), record("y/1.png"), record("v.dcm#03"), record("Ä.png")]
    )
    assert [found.case_id for found in names[:4]] == ["a-b", "x-1.png", "y-1.png", "v-03"]
    assert re.fullmatch(r"png|[A-Za-z0-9_.-]+", names[4].case_id)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=8, unique=True))
def test_kept_ids_are_plain_and_unique_whatever_the_names(texts):
    names = [
        found.case_id
        for found in keep_original_names([record(text.replace("\0", "x") + str(n)) for n, text in enumerate(texts)])
    ]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) for name in names)


def test_kept_ids_of_long_names_are_cut():
    (found,) = keep_original_names([record("x" * 300 + ".png")])
    assert len(found.case_id) < 100


def test_what_a_header_states_is_digested_where_names_are_kept():
    both = frozenset({"patient", "sequence"})
    stated = [
        Record(f"{n}.dcm", Path("/d"), patient=f"Doe{n // 2}", sequence="1.2.3", from_header=both) for n in (0, 1, 2)
    ]
    one, same, other = keep_original_names(stated)
    assert "Doe" not in repr((one, other)) and "1.2.3" not in repr((one, other))
    assert (one.patient, one.sequence) == (same.patient, same.sequence)
    assert one.patient != other.patient and one.sequence != other.sequence
    assert keep_original_names(stated[2:])[0] == other  # nor do more files change it
    (by_rule,) = keep_original_names(
        [Record("a.dcm", Path("/d"), patient="Q1", sequence="1.2.3", from_header=both - {"patient"})]
    )
    assert by_rule.patient == "Q1" and by_rule.sequence.startswith("Q1-S-")
