"""Arithmetic of corrections in the viewer: brush, pieces, undo, and records; tried without a page."""

import json
from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import label

from helpers.review.corrections.drawn import DrawnCorrection
from tests.review.corrections.test_record import correction
from tests.support.node import node
from tests.support.review_runs import tube

PARTS = ("arithmetic", "verdicts", "mask_edit", "strokes", "corrections", "edit")
_STAMP = """const [mask, width, height, points, diameter, value, values, cut] = given, runs = new kit.Runs();
    const drawn = Uint8Array.from(mask), among = values && { values: Float32Array.from(values), cut };
    points.forEach((to, i) => kit.stamp(
      drawn, width, height, points[Math.max(i - 1, 0)], to, diameter, value, runs, among,
    ));
    const back = drawn.slice();
    kit.flip(back, runs.end());
    return { drawn: [...drawn], back: [...back], runs: [...runs.end()] };"""


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    with node(tmp_path_factory.mktemp("node"), PARTS) as found:
        yield found


def at(x, y):
    return {"x": x, "y": y}


def stamped(call, mask, points, diameter, value=1, values=None, cut=None):
    height, width = mask.shape
    given = mask.astype(int).ravel().tolist(), width, height, [at(*point) for point in points], diameter, value
    found = call(_STAMP, *given, None if values is None else values.ravel().tolist(), cut)
    assert np.array_equal(np.reshape(found["back"], mask.shape), mask)  # the runs are what was changed
    rows = [
        (start // width, (start + count - 1) // width) for start, count in zip(*[iter(found["runs"])] * 2, strict=True)
    ]
    assert all(first == last for first, last in rows)
    return np.reshape(found["drawn"], mask.shape).astype(bool)


def test_a_brush_has_its_diameter_and_stands_on_pixels(call):
    empty = np.zeros((5, 5), bool)
    assert np.argwhere(stamped(call, empty, [(2.9, 1.1)], 1)).tolist() == [[1, 2]]
    assert np.argwhere(stamped(call, empty, [(2.2, 2.2)], 2)).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert stamped(call, empty, [(2.5, 2.5)], 3).sum() == 9
    five = stamped(call, empty, [(2.5, 2.5)], 5)
    assert five.sum() == 21 and not five[[0, 0, 4, 4], [0, 4, 0, 4]].any()
    assert stamped(call, empty, [(0.5, 0.5)], 3).sum() == 4 and not stamped(call, empty, [(-9.0, 2.0)], 3).any()


@pytest.mark.parametrize("width", [1, 5, 20])
def test_the_change_from_one_mask_to_another_brings_it_there(call, width):
    one, other = np.random.default_rng(0).integers(0, 2, (2, 20)).tolist()
    body = """const [mask, other, width] = given, runs = kit.differing(mask, other, width);
        const changed = Uint8Array.from(mask);
        kit.flip(changed, runs);
        return { changed: [...changed], runs: [...runs] };"""
    found = call(body, one, other, width)
    assert found["changed"] == other
    starts, counts = found["runs"][::2], found["runs"][1::2]
    assert sum(counts) == sum(a != b for a, b in zip(one, other, strict=True))
    assert all(start // width == (start + count - 1) // width for start, count in zip(starts, counts, strict=True))
    assert call(body, one, one, width)["runs"] == []


def test_a_stroke_covers_all_that_its_brush_passes(call):
    width, height, diameter, rng = 40, 30, 5, np.random.default_rng(3)
    rows, columns = np.mgrid[:height, :width] + 0.5
    for _ in range(5):
        points = np.floor(rng.uniform((-4, -4), (width + 4, height + 4), (4, 2))) + 0.5
        found = stamped(call, np.zeros((height, width), bool), points.tolist(), diameter)
        away = np.full((height, width), np.inf)
        for a, b in pairwise(points):
            along = np.clip(
                ((columns - a[0]) * (b - a)[0] + (rows - a[1]) * (b - a)[1]) / max(((b - a) ** 2).sum(), 1), 0, 1
            )
            away = np.minimum(away, np.hypot(columns - a[0] - along * (b - a)[0], rows - a[1] - along * (b - a)[1]))
        sure = np.abs(away - diameter / 2) > 1e-6
        assert np.array_equal(found[sure], (away < diameter / 2)[sure])


def test_a_thin_stroke_hangs_together(call):
    for end in ((38.0, 3.0), (5.0, 28.0), (30.0, 29.0), (2.0, 2.0)):
        drawn = stamped(call, np.zeros((30, 40), bool), [(1.2, 1.7), end], 1)
        assert label(drawn, np.ones((3, 3)))[1] == 1


def test_an_eraser_and_a_threshold_change_only_what_they_may(call):
    full = np.ones((4, 6), bool)
    assert (~stamped(call, full, [(1.5, 1.5), (3.5, 1.5)], 1, value=0)).sum() == 3
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    taken = stamped(call, np.zeros((4, 6), bool), [(0.5, 1.5), (5.5, 1.5)], 3, values=values, cut=9)
    assert np.array_equal(taken, (values > 9) & (values < 18))


def test_pieces_hang_together_straight_or_diagonal(call):
    body = """const mask = Uint8Array.from(given[0]), piece = kit.pieceAt(mask, given[1], given[2], given[3]);
        const others = kit.othersThan(mask, given[1], piece), kept = mask.slice();
        kit.flip(mask, piece);
        kit.flip(kept, others);
        return [[...mask], [...kept], kit.boundsOf(piece, given[1])];"""
    mask = np.random.default_rng(5).random((23, 31)) > 0.72
    pieces, count = label(mask, np.ones((3, 3)))
    assert count > 5
    for number in (1, count // 2, int(np.bincount(pieces.ravel())[1:].argmax()) + 1):
        place = int(np.flatnonzero(pieces == number)[-1])
        rest, kept, bounds = call(body, mask.astype(int).ravel().tolist(), 31, 23, place)
        assert np.array_equal(np.reshape(rest, mask.shape), mask & (pieces != number))
        assert np.array_equal(np.reshape(kept, mask.shape), pieces == number)
        rows, columns = np.nonzero(pieces == number)
        assert [bounds[side] for side in ("top", "bottom", "left", "right")] == [
            rows.min(), rows.max() + 1, columns.min(), columns.max() + 1,
        ]  # fmt: skip


def test_a_click_beside_a_piece_finds_it(call):
    body = "return kit.nearestIn(Uint8Array.from([0, 0, 0, 1, 0, 0]), 6, 1, given[0], given[1]);"
    assert call(body, at(2.2, 0.5), 2) == 3 and call(body, at(0.5, 0.5), 2) == -1


def test_strokes_are_undone_and_done_again_without_limit(call):
    body = """const data = { case_id: "c", width: 64, height: 64 }, begun = new Uint8Array(4096);
        const edit = new kit.Edit(data, { name: "empty", base: {}, mask: begun, before: null }), seen = [];
        for (let i = 0; i < 500; i++) {
          const runs = new kit.Runs(), to = { x: (7 * i) % 64, y: (11 * i) % 64 };
          kit.stamp(edit.mask, 64, 64, to, to, 5, i % 3 ? 1 : 0, runs);
          if (runs.length) edit.strokes.add(i % 3 ? "brush" : "eraser", runs.end());
          seen.push(edit.mask.slice());
        }
        const last = edit.mask.slice(), { done } = edit.strokes;
        const held = done.reduce((all, { runs }) => all + runs.length, 0);
        edit.keep(edit.strokes.last);
        const count = done.length;
        while (edit.turn(true));
        const undone = kit.sameMask(edit.mask, begun), changed = edit.strokes.changed;
        while (edit.turn(false));
        const again = kit.sameMask(edit.mask, last) && !edit.strokes.changed;
        edit.turn(true);
        edit.strokes.add("piece", Int32Array.from([0, 1]));
        return [count > 200, undone, changed, again, edit.strokes.undone.length, edit.strokes.changed,
          edit.strokes.tools.sort(), held / count];"""
    *found, held = call(body)
    assert found == [True, True, True, True, 0, True, ["brush", "eraser", "piece"]] and held < 20


def test_time_counts_but_for_long_pauses(call):
    body = """const edit = new kit.Edit({ case_id: "c", width: 1, height: 1 }, { mask: new Uint8Array(1) });
        for (const moment of [0, 1000, 601000]) edit.touch(moment);
        edit.rest(602000);
        edit.touch(9e6);
        return edit.spent;"""
    assert call(body) == 1000 + 60_000 + 1000


def test_a_packed_mask_and_its_record_are_read_by_python(call):
    mask = tube(0.1, 23, 17)
    base = {"began_from": "empty", "mask_sha256": None, "run": None, "config": None, "prompt": None}
    body = """const [mask, data, base, before, tools = ["eraser"]] = given;
        return kit.drawnCorrection({ reviewer: "ann", data, base, mask: await kit.packedMask(Uint8Array.from(mask)),
          before, spent: 2340, tools, truthSeen: false, knew: ["x"],
          runs: [{ config: "c", weights: null }, { config: "d", weights: "w" }] }, []);"""
    data = {"case_id": "c", "image_sha256": "1" * 64, "width": 23, "height": 17}
    pixels, before = mask.astype(int).ravel().tolist(), {"seconds": 10, "tools": ["brush"], "truth_seen": None}
    drawn = DrawnCorrection.from_json(call(body, pixels, data, base, None))
    assert np.array_equal(drawn.mask, mask) and drawn.record.seconds == 2.3 and drawn.record.truth_seen is False
    later = DrawnCorrection.from_json(call(body, pixels, data, base, before)).record
    assert (later.seconds, later.tools, later.truth_seen) == (12.3, ("brush", "eraser"), None)
    assert call("return kit.isDrawn(given[0]);", call(body, pixels, data, base, None)) is True
    assert drawn.continues == ("x",) and drawn.record.further_configs == ()
    taken_in = DrawnCorrection.from_json(call(body, pixels, data, base, None, ["threshold"])).record
    assert (taken_in.further_configs, taken_in.further_weights) == (("c", "d"), ("w",))  # whose logits were shown
    later = call(body, pixels, data, base, {**before, "further_configs": ["e"], "further_weights": ["v"]})
    assert (later["further_configs"], later["further_weights"]) == (["e"], ["v"])


def test_the_last_correction_of_a_case_stands(call):
    first, second = (json.loads(correction(number).to_line()) for number in (1, 2))
    back, other = {**second, "id": "b", "mask": None}, {**second, "case_id": "c", "reviewer": "bob"}
    body = "return [...kit.corrected(given[0], 'ann').values()].map((one) => one.id);"
    assert call(body, [second, first, other]) == [second["id"]] and call(body, [back, first]) == []
    assert len(call("return kit.latestOnly(given[0]);", [second, first, other])) == 2


def test_a_record_that_its_page_did_not_know_is_not_replaced_unseen(call):
    first, second = (json.loads(correction(number).to_line()) for number in (1, 2))
    body = "const [one, there, continues] = given; return kit.replacesUnseen({ ...one, continues }, there);"
    assert call(body, second, [first], [first["id"]]) is False and call(body, second, [], []) is False
    assert call(body, second, [first], []) is True and call(body, second, [second, first], []) is False
    assert call("return kit.replacesUnseen(...given);", second, [first]) is None  # of an earlier version's page
    assert call(body, second, [{**first, "reviewer": "bob"}, {**first, "case_id": "c"}], []) is False


def test_a_correction_that_was_taken_back_outdates_none_that_a_file_brings(call):
    own, other = (json.loads(correction(number).to_line()) for number in (1, 2))
    own, page = {**own, "time": "2026-11-30T10:00:00Z"}, {**other, "time": "2026-11-30T11:00:00Z", "continues": []}
    back = {**own, "id": "b", "mask": None, "time": "2026-11-30T12:00:00Z"}
    body = "return kit.joined(...given, new Date(0));"
    assert call(body, page, [own]) is None  # it is another's, which its page did not know
    late = call(body, page, [own, back])
    assert call(body, page, [back]) == late == {**page, "time": "2026-11-30T12:00:00.001Z"}
    assert call("return [...kit.corrected(given[0], 'ann').values()]", [own, back, late]) == [late]
    page_back = {**page, "id": "c", "mask": None, "time": "2026-11-30T11:30:00Z", "continues": [page["id"]]}
    taken = call(body, page_back, [own, back, late])
    assert taken["time"] == "2026-11-30T12:00:00.002Z"
    earlier = {**page, "id": "d", "time": "2026-11-30T09:00:00Z"}
    assert call(body, earlier, [own, back]) == earlier  # older than what the reader drew
    assert call(body, page, []) == page


def test_strokes_belong_to_who_drew_them_and_to_the_mask_that_they_began_from(call):
    body = """const base = { began_from: "prediction", mask_sha256: "1" }, mask = new Uint8Array(1);
        const edit = new kit.Edit({ case_id: "c", width: 1, height: 1 }, { base, mask, before: null });
        const stale = () => ["1", "2"].map((mask_sha256) => edit.isStale({ bases: { prediction: { mask_sha256 } } }));
        const found = [edit.isOf("ann"), stale(), edit.isStale({ bases: {} })];
        edit.drawnBy = "ann";
        found.push(edit.isOf("ann"), edit.isOf("bob"));
        edit.keep(null);
        found.push(stale());
        edit.begin({ base, mask, before: { reviewer: "bob" } });
        return [...found, edit.isOf("bob"), edit.isOf("ann"), stale()];"""
    two = [False, False]
    assert call(body) == [True, [False, True], True, True, False, two, True, False, two]


def test_lines_that_are_no_corrections_of_this_review_are_known(call):
    body = "return given[0].map((one) => kit.isDrawn(one) && kit.isOfReview(one, given[1]));"
    facts = {"config": "c", "prompt": "p", "cases": [{"case_id": "P1-F1"}]}
    good = {**json.loads(correction(1).to_line()), "schema": "vesselkit.drawn-correction", "mask": "eJw="}
    good["base"] = {**good["base"], "began_from": "prediction", "config": "c", "prompt": "p"}
    changes = [
        {}, {"mask": 3}, {"tools": ["saw"]}, {"seconds": -1}, {"case_id": "other"}, {"width": 0}, {"reviewer": "../a"},
        {"base": {**good["base"], "config": "other"}}, {"schema_version": 2}, {"truth_seen": "no"}, {"base": None},
        {"continues": [3]},
    ]  # fmt: skip
    assert call(body, [{**good, **change} for change in changes], facts) == [True, *[False] * (len(changes) - 1)]
