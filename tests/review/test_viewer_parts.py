"""Arithmetic, queue and verdicts of the viewer: pure functions, tried without a page; and how its files are joined."""

import re

import numpy as np
import pytest

from helpers.core.vocabulary import Combine
from helpers.review.figures.mask_drawing import hatch
from helpers.review.figures.sheet_layout import line_width
from helpers.review.logit_coding import coded_map
from helpers.review.payload import maps_json, packed
from helpers.review.viewer_facts import VIEWER_PARTS, viewer_module, viewer_part
from tests.support.node import node
from tests.support.review_runs import smooth_logits, tube, two_step

PURE = (
    "chinese",
    "words",
    "arithmetic",
    "queue",
    "verdicts",
    "settings",
    "layout",
    "mask_edit",
    "strokes",
    "corrections",
    "edit",
)
LONGEST = 350  # lines of a file
DECLARED = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
IMPORTED = re.compile(r'^import \{ ([^}]*) \} from "\./(\w+)\.js";$', re.MULTILINE)
A, B, C = "a" * 32, "b" * 32, "c" * 32


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    with node(tmp_path_factory.mktemp("node"), PURE) as found:
        yield found


def record(number, case_id, verdict, **others):
    return {
        "schema": "vesselkit.verdict", "schema_version": 1, "id": f"{number:032x}", "reviewer": "ann", "run": "r",
        "time": f"2026-05-01T12:00:{number:02d}.000Z", "case_id": case_id, "verdict": verdict, "reasons": [],
        "note": "", "threshold": 0.5, "withdraws": None, **others,
    }  # fmt: skip


# -- joining ----------------------------------------------------------------------------------------------------------


def test_each_file_imports_what_files_before_it_export_and_no_name_is_declared_twice():
    seen = {}
    for name in VIEWER_PARTS:
        text = viewer_part(name)
        assert len(text.splitlines()) <= LONGEST, name
        for names, part in IMPORTED.findall(text):
            assert set(names.split(", ")) <= seen[part], (name, part)
        declared = DECLARED.findall(text)
        assert not set(declared) & set().union(*seen.values()), name
        seen[name] = set(declared)
    assert not re.search(r"^import ", viewer_module(), re.MULTILINE)


def test_pure_files_import_each_other_alone():
    for name in PURE:
        assert {part for _, part in IMPORTED.findall(viewer_part(name))} <= set(PURE), name
        assert not re.search(r"\b(document|localStorage|addEventListener)\b", viewer_part(name)), name


# -- arithmetic -------------------------------------------------------------------------------------------------------


def test_masks_of_a_map_are_those_of_python(call):
    stored = two_step(smooth_logits(1, count=2, grid=32), width=130, height=57, network=64)
    coded = coded_map(stored, Combine.UNION, [None, None])
    for threshold in (0.05, 0.5, 1 / 3):
        found = call(
            """const [maps, threshold] = given;
            return Array.from(kit.maskAt(await kit.fullSize(maps, 130, 57), threshold));""",
            maps_json(coded), threshold,
        )  # fmt: skip
        assert np.array_equal(np.reshape(found, (57, 130)), coded.mask(threshold))


def test_scores_count_pixels(call):
    found = call(
        """const [truth, mask] = await Promise.all(given.map((text) => kit.unpackedMask(text, 6)));
        return kit.scoresOf(kit.countsOf(truth, mask));""",
        packed(np.array([[1, 1, 0], [1, 0, 0]], bool)), packed(np.array([[1, 0, 0], [1, 1, 0]], bool)),
    )  # fmt: skip
    assert found == {"dice": pytest.approx(2 / 3), "precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3)}
    assert call("return kit.scoresOf([9, 0, 0, 0]);") == {"dice": 1, "precision": None, "recall": None}


def test_pixels_that_are_not_scored_count_in_nothing_and_have_the_stripes_of_pictures(call):
    body = "const [truth, mask, ignored] = given.map((one) => Uint8Array.from(one)); "
    assert call(f"{body} return kit.countsOf(truth, mask, ignored);", [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]) == [
        0, 0, 1, 1,
    ]  # fmt: skip
    body = "return Array.from(kit.striped(Uint8Array.from(given[0]), given[1], given[2]));"
    for width, height in ((23, 17), (700, 5)):
        mask = tube(0.1, width, height)
        found = call(body, mask.ravel().astype(int).tolist(), width, height)
        assert np.array_equal(np.reshape(found, mask.shape), hatch(mask, 3 * line_width((width, height)))), width


def test_distances_count_steps_straight_or_diagonal(call):
    found = call("return Array.from(kit.distancesTo(Uint8Array.from(given[0]), 4, 3));", [1, *[0] * 11])
    assert found == [0, 1, 2, 3, 1, 1, 2, 3, 2, 2, 2, 3]
    outline = call("return Array.from(kit.outlineOf(Uint8Array.from(given[0]), 1));", found)
    assert outline == [0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]


def test_a_pixel_mixes_its_grey_and_its_colour(call):
    body = "return [...kit.lookup({ window: 255, level: 127.5, invert: given[1] }, [[255, 0, 0]], given[0])];"
    table = np.array(call(body, 0.5, False), np.uint32).view(np.uint8).reshape(2, 256, 4)
    assert table[0, 100].tolist() == [100, 100, 100, 255] and table[1, 100].tolist() == [178, 50, 50, 255]
    assert np.array(call(body, 1, True), np.uint32).view(np.uint8).reshape(2, 256, 4)[0, 100, 0] == 155


def test_a_packed_mask_comes_back(call):
    mask = tube(0.1, 23, 17)
    found = call("return Array.from(await kit.unpackedMask(given[0], given[1]));", packed(mask), mask.size)
    assert np.array_equal(np.reshape(found, mask.shape), mask)


# -- the queue --------------------------------------------------------------------------------------------------------

CASES = [
    {"case_id": "c1", "patient": "P1", "sequence": "S1", "status": "ok", "scores": {"dice": 0.9}},
    {"case_id": "c2", "patient": "P1", "sequence": "S1", "status": "no_seg", "scores": {}},
    {"case_id": "c10", "patient": "P2", "sequence": None, "status": "ok", "scores": {"dice": 0.2}},
    {"case_id": "c11", "patient": "P10", "sequence": None, "status": "ok", "scores": {"dice": 1}, "empty": True},
]


@pytest.mark.parametrize(
    ("order", "lower", "wanted"),
    [
        ("natural", False, ["c1", "c2", "c10", "c11"]),
        ("worst", False, ["c2", "c10", "c1", "c11"]),
        ("best", False, ["c1", "c10", "c2", "c11"]),
        ("worst", True, ["c2", "c1", "c10", "c11"]),
    ],
)
def test_the_order_of_the_queue(call, order, lower, wanted):
    body = "return kit.arranged(...given, () => true).map((one) => one.case_id);"
    assert call(body, CASES, order, "dice", lower) == wanted


def test_filters_of_the_queue(call):
    body = """const [cases, wanted, verdict] = given, given_ = new Map([["c1", { verdict: "fix" }]]);
        return cases.filter((one) => kit.isKept(one, wanted, verdict, given_)).map((one) => one.case_id);"""
    everything = {"patient": "", "sequence": "", "status": ""}
    assert call(body, CASES, everything, "") == ["c1", "c2", "c10", "c11"]
    assert call(body, CASES, {**everything, "patient": "P1"}, "") == ["c1", "c2"]
    assert call(body, CASES, {**everything, "status": "ok"}, "none") == ["c10", "c11"]
    assert call(body, CASES, everything, "fix") == ["c1"] and call(body, CASES, everything, "reject") == []
    assert call("return kit.distinct(given[0], 'patient');", CASES) == ["P1", "P2", "P10"]
    body = """const [cases, correction, states] = given, left = (one) => kit.isKept(one, {}, "", new Map(), correction,
        (caseId) => states[caseId] ?? "");
        return cases.filter(left).map((one) => one.case_id);"""
    states = {"c1": "corrected", "c2": "corrected", "c10": "unsaved"}
    assert call(body, CASES, "corrected", states) == ["c1", "c2"] and call(body, CASES, "unsaved", states) == ["c10"]


def test_the_next_open_case_is_looked_for_from_the_front_again(call):
    body = "return kit.nextOpen(given[0], given[1], new Map(given[2].map((id) => [id, 1])));"
    assert call(body, CASES, 0, []) == 1 and call(body, CASES, 0, ["c2"]) == 2
    assert call(body, CASES, 3, ["c1"]) == 1 and call(body, CASES, 1, ["c1", "c2", "c10", "c11"]) == -1


def test_frames_of_a_sequence_and_which_run_is_a(call):
    body = "return kit.framesOf(given[0], given[0][given[1]]).map((one) => one.case_id);"
    assert call(body, CASES, 1) == ["c1", "c2"] and call(body, CASES, 2) == []
    first = call("return Array.from({ length: 64 }, (_, i) => kit.firstBlind('run', `c${i}`));")
    assert set(first) == {0, 1} and 16 < sum(first) < 48
    assert first == call("return Array.from({ length: 64 }, (_, i) => kit.firstBlind('run', `c${i}`));")


# -- verdicts ---------------------------------------------------------------------------------------------------------


def test_the_last_verdict_stands_and_one_taken_back_does_not(call):
    body = "return [...kit.standing(given[0], 'ann')].map(([id, one]) => [id, one.verdict]);"
    first, second = record(1, "c1", "accept"), record(2, "c1", "reject")
    assert call(body, [second, first]) == [["c1", "reject"]]
    back = record(3, "c1", None, withdraws=second["id"])
    assert call(body, [first, second, back]) == [["c1", "accept"]]
    assert call(body, [record(1, "c1", "accept", reviewer="bob")]) == []


def test_a_name_that_cannot_be_is_told_by_its_character(call):
    names = ["ann-b.2", "", "Jörg", "Ann B", "_ann", "a" * 101]
    fine, empty, *faults = call("return given[0].map(kit.faultOf);", names)
    assert (fine, empty) == ("", "Enter your name under Reviewer first.")
    assert [one.rpartition(" got ")[2] for one in faults] == ["'ö'.", "a space.", "'_' at its beginning.", "101."]


def test_the_latest_verdict_and_the_counts(call):
    body = """const maps = given[1].map((records) => kit.standing(records, "ann"));
        return [kit.latest(maps)?.id ?? null, kit.progressOf(given[0], maps)];"""
    one = [record(1, "c1", "accept"), record(4, "c2", "reject"), record(2, "gone", "fix")]
    other = [record(3, "c2", "accept")]
    assert call(body, CASES, [one]) == [f"{4:032x}", {"reviewed": 2, "rejected": 1}]
    assert call(body, CASES, [one, other])[1] == {"reviewed": 1, "rejected": 1}  # both have one on c2 alone
    assert call(body, CASES, [[]]) == [None, {"reviewed": 0, "rejected": 0}]


def test_a_file_gives_records_that_are_new_and_counts_other_lines(call):
    known, new = record(1, "c1", "accept"), record(2, "c2", "fix", reasons=["catheter"])
    spoilt = [
        {**new, "id": A, "reasons": ["x"]},
        {**new, "id": B, "verdict": "maybe"},
        {**new, "id": C, "threshold": 2},
    ]
    body = """const [records, known, rest] = given;
        const found = kit.newIn(kit.linesOf(records) + rest, known, (one) => kit.isRecord(one, ["catheter"]));
        return [found.found.map((one) => one.id), found.others];"""
    assert call(body, [known, new, new, *spoilt], [known["id"]], "\n{cut\nnull\n3\n") == [[new["id"]], 6]


def test_a_record_is_on_what_the_run_says_of_the_case_now(call):
    body = "return kit.isOn(...given);"
    assert call(body, {"run": "old", "prediction": "p"}, "new", "p") is True
    assert call(body, {"run": "new", "prediction": "p"}, "new", "q") is False
    assert call(body, {"run": "new"}, "new", "q") is True and call(body, {"run": "old"}, "new", "q") is False


# -- settings ---------------------------------------------------------------------------------------------------------


def test_steps_of_a_slider_are_those_that_it_gives_itself_and_end_at_its_ends(call):
    body = "let value = given[1]; for (const step of given[2]) value = kit.nudged(given[0], value, step); return value;"
    assert call(body, "threshold", 0.345, [1]) == 0.35 and call(body, "threshold", 0.5, [1] * 500) == 0.995
    assert call(body, "window", 255, [4]) == 255 and call(body, "opacity", 0.6, [-1] * 3) == 0.45


# -- the room ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "size", "ratio", "wanted"),
    [
        (4, (1000, 300), 1, (4, 1)), (4, (600, 640), 1, (2, 2)), (4, (600, 600), 4, (1, 4)),
        (4, (600, 600), 0.25, (4, 1)), (1, (500, 520), 1, (1, 1)),
        (6, (900, 640), 1, (3, 2)), (5, (900, 640), 1, (3, 2)),
    ],
)  # fmt: skip
def test_the_grid_makes_pictures_largest(call, count, size, ratio, wanted):
    found = call("return kit.gridOf(...given);", count, *size, ratio)
    assert (found["columns"], found["rows"]) == wanted
    assert found["width"] / found["height"] == pytest.approx(ratio, rel=0.05)
    assert found["columns"] * found["width"] <= size[0] and found["rows"] * (found["height"] + 20) <= size[1]


def test_controls_stand_beside_the_pictures_and_take_the_width_that_is_left(call):
    narrow, wide, column = (
        call("return kit.shared(4, ...given, 1);", *size) for size in ((700, 560), (1300, 560), (500, 900))
    )
    assert narrow["side"] < wide["side"] and column["side"] is None
    assert narrow["side"] + 2 * narrow["width"] <= 700 and 2 * column["width"] <= 500


def test_tiles_in_sight(call):
    found = call("return kit.tiled(10, { width: 100, height: 50 }, 330, 100, 60);")
    assert found == {"columns": 3, "total": 200, "from": 3, "to": 10}
    assert call("return kit.tiled(0, { width: 100, height: 50 }, 30, 100, 0);") == {
        "columns": 1,
        "total": 0,
        "from": 0,
        "to": 0,
    }
