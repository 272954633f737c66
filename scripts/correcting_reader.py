"""A reader who corrects synthetic patients in the viewer: `python -m scripts.correcting_reader FOLDER`.

Draws patients A, predicts them with the demo model, and plants two gaps and a false piece in each mask. In a headless
Chromium it corrects them on the viewer's page with brush, eraser and piece, as a reader who knows the truth would. The
corrections are handed in and exported as the data set FOLDER/corrected, which `scripts.correction_study` trains on.

Called again after a stop, it goes on where it was.
"""

import argparse
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import label
from skimage.draw import disk, line
from skimage.morphology import skeletonize

from helpers.core.atomic import write_json_atomic
from helpers.core.progress import track
from helpers.core.vocabulary import Exchange
from helpers.data.dataset import open_dataset
from helpers.dev.synthesis.data_set_writing import Recipe
from helpers.dev.synthesis.sequence_parameters import Split
from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.prediction.imports.import_run import import_masks
from helpers.review.corrections.drawn import read_drawn
from helpers.review.exports import export_corrections
from helpers.runs.run_folder import open_run
from helpers.stages.evaluate_stage import evaluate
from helpers.stages.predict_stage import predict
from helpers.stages.review_stage import open_review
from scripts.correction_study import PROMPT, SIDE, demo_model, drawn, headline
from tests.support.browser import chromium
from tests.support.correcting import set_size, stroke

A = Recipe(24, 1, 4, 5000, SIDE, (Split.TRAIN,))  # a seed that no recipe of the demo model draws from


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    correct(given.folder, demo_model(given.folder), given.processes)


def correct(folder: Path, model: Path, processes: int) -> None:
    truths = drawn(A, folder / "a", processes)
    seen = folder / "a-without-truth"
    if not seen.is_dir():
        seen.mkdir()
        for case in open_dataset(truths).cases:
            shutil.copy(case.frame.path, seen)
        write_json_atomic(seen / "dataset.json", {"ids": "public"})
    if not (folder / "planted" / "manifest.json").is_file():
        run = predict(model, seen, folder / "run-a", device="cpu")
        masks = folder / "planted-masks"
        masks.mkdir(exist_ok=True)
        for number, case_id in enumerate(run.cases()):
            mask = run.mask(case_id, PROMPT)
            planted = with_errors(np.zeros((SIDE, SIDE), bool) if mask is None else mask, number)
            Image.fromarray(planted.astype(np.uint8) * 255).save(masks / f"{case_id}.png")
        import_masks(masks, "demo-with-planted-errors", open_dataset(seen), folder / "planted")
    review = open_review(folder / "planted", seen, reviewer="reader")
    page = review.page(folder / "review.html")
    taken = folder / "drawn.jsonl"
    cases = [case for case in open_dataset(truths).cases if case.truth]
    truth_of = {case.case_id: case.truth.mask(SIDE, SIDE) for case in cases}
    patients = {case.case_id: case.frame.patient for case in cases}
    run = open_run(folder / "planted")
    planted = {case_id: run.mask(case_id, PROMPT) for case_id in truth_of}
    if not taken.is_file():
        on_the_page(page, planted, truth_of, taken)
    print(review.corrections.hand_in(read_drawn(taken)).to_text())
    if not (folder / "corrected").is_dir():
        summary = export_corrections(review.source, folder / "corrected", Exchange.PNG, review.corrections.store)
        print(summary.to_text())
    found = evaluate(folder / "planted", folder / "corrected", folder / "edit-distance", processes=processes)
    print(headline(found.text))
    corrected = {
        case.case_id: case.truth.mask(SIDE, SIDE) for case in open_dataset(folder / "corrected").cases if case.truth
    }
    for name, masks in (("planted", planted), ("corrected", {**planted, **corrected})):
        print(f"{name} masks against the truth: Dice {_mean_dice(masks, truth_of, patients)}")


def _mean_dice(
    masks: Mapping[str, np.ndarray], truths: Mapping[str, np.ndarray], patients: Mapping[str, str | None]
) -> str:
    """Mean of patients."""
    dice = pd.Series({name: score_case(CaseArrays(name, truths[name], masks[name])).values["dice"] for name in truths})
    means = dice.groupby(dice.index.map(patients)).mean()
    return f"{means.mean():.3f}, {len(dice)} cases of {len(means)} patients"


def with_errors(mask: np.ndarray, seed: int) -> np.ndarray:
    """A mask, bool (H, W), with two gaps of 20 pixels where it has a vessel, and a false piece of 60 x 5 pixels."""
    chance, planted = np.random.default_rng([A.seed, seed]), mask.copy()
    centres = np.argwhere(skeletonize(mask))
    for at in chance.permutation(len(centres))[:2]:
        planted[disk(tuple(centres[at]), 10, shape=mask.shape)] = False
    row, column = chance.integers(60, SIDE - 60, 2)
    angle = chance.uniform(0, np.pi)
    rows, columns = line(
        row, column, int(row + 60 * np.sin(angle)) % SIDE, min(max(int(column + 60 * np.cos(angle)), 0), SIDE - 1)
    )
    for place in zip(rows, columns, strict=True):
        planted[disk(place, 2.5, shape=mask.shape)] = True
    return planted


def on_the_page(
    page_file: Path, masks: Mapping[str, np.ndarray], truths: Mapping[str, np.ndarray], taken: Path
) -> None:
    """Correct the cases on the page from the disk, each with strokes along what is missing and what is false."""
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 1500, "height": 1150}, accept_downloads=True).new_page()
        page.goto(page_file.resolve().as_uri())
        page.wait_for_selector(".vk-id")
        page.fill("[data-control=reviewer]", "reader")
        page.keyboard.press("Escape")
        for place, case_id in enumerate(track(sorted(masks), "correct", unit="case")):
            page.eval_on_selector(
                "[data-control=case]",
                "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
                str(place + 1),
            )
            page.wait_for_function(
                "name => document.querySelector('.vk-id').textContent === name && document.querySelector('canvas')",
                arg=case_id,
            )
            page.wait_for_timeout(300)
            keys = list(strokes(masks[case_id], truths[case_id]))
            if not keys:
                continue
            page.keyboard.press("E")
            for tool, size, points in keys:
                page.keyboard.press(tool)
                if size is not None:
                    set_size(page, size)
                stroke(page, (SIDE, SIDE), *points)
            page.keyboard.press("s")
            page.wait_for_function("() => document.querySelector('.vk-card [role=status]').innerText.includes('saved')")
            page.keyboard.press("E")
        with page.expect_download() as waiting:
            page.click("text=Download")
        waiting.value.save_as(taken)


def strokes(mask: np.ndarray, truth: np.ndarray) -> Iterator[tuple[str, int | None, list[tuple[int, int]]]]:
    """Key of the tool, width of the brush (None for a click) and points (x, y), of what a reader does.

    Differences of fewer than 30 pixels, and those along an outline, are left as readers leave them.
    """
    for pieces, tool in ((_pieces(mask & ~truth), "e"), (_pieces(truth & ~mask), "b")):
        for piece in pieces:
            depth = piece.sum() / max(1, skeletonize(piece).sum())
            if piece.sum() < 30 or depth < 2.5:
                continue
            alone = tool == "e" and _is_whole_piece(piece, mask, truth)
            if alone:
                row, column = np.argwhere(piece)[0]
                yield "x", None, [(int(column), int(row))]
                continue
            for path in _paths(skeletonize(piece)):
                yield tool, int(min(9, max(3, round(depth)))), path


def _is_whole_piece(piece: np.ndarray, mask: np.ndarray, truth: np.ndarray) -> bool:
    """Whether a false part is a connected piece of the mask by itself."""
    names, _ = label(mask, np.ones((3, 3)))
    (name,) = np.unique(names[piece])[:1]
    return bool(not (truth & (names == name)).any())


def _pieces(mask: np.ndarray) -> list[np.ndarray]:
    names, count = label(mask, np.ones((3, 3)))
    return [names == number for number in range(1, count + 1)]


def _paths(line_of: np.ndarray) -> Iterator[list[tuple[int, int]]]:
    """The pixels of a thin line as strokes: from one to the nearest that is left, a new stroke behind a jump."""
    left = [tuple(place) for place in np.argwhere(line_of)]
    while left:
        path = [left.pop(0)]
        while left:
            gaps = np.abs(np.array(left) - path[-1]).max(axis=1)
            nearest = int(gaps.argmin())
            if gaps[nearest] > 2:
                break
            path.append(left.pop(nearest))
        yield [(int(column), int(row)) for row, column in [*path[::3], path[-1]]]


if __name__ == "__main__":
    main()
