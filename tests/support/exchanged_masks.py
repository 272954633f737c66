"""Masks that go to other tools and come back, and how commands are given for it."""

import numpy as np
from PIL import Image

from helpers.core.vocabulary import SEGMENTATIONS, BeganFrom, Exchange
from helpers.data.dataset import open_dataset
from helpers.data.exchange.exchange_formats import kind_of, read_masks, write_cases
from helpers.data.exchange.exchanged import SentCase, SentSet
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.record import CorrectionTool
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import open_source
from helpers.runs.run_folder import open_run
from tests.support.review_runs import (
    GRIDDED,
    NO_TRUTH,
    SAME,
    SEVERAL,
    verdict_lines,
)

EXPORT = ("export", "run", "--data", "data", "--output", "out")
IMPORT = ("--into", "corrections", "--data", "data", "--predictions", "run", "--output", "c")
BY_ANN = (*IMPORT, "--reviewer", "ann", "--began-from", "prediction")
MASKED = {GRIDDED, SAME, SEVERAL, NO_TRUTH}
TRUE = SentSet("vessel", "x", True)
NOT_READ = (Exchange.LABEL_STUDIO, Exchange.NIFTI, *SEGMENTATIONS)  # as data sets


def predicted(run):
    opened = open_run(run)
    return {case_id: opened.mask(case_id, "p1") for case_id in MASKED}


def read(folder, kind=None):
    masks = read_masks(folder, kind or kind_of(folder)).masks
    return {one.name.rpartition("/")[2]: one.read() for one in masks}


def corrected(mask, row=3):
    """The mask with a row of it turned."""
    other = mask.copy()
    other[row] = ~other[row]
    return other


def sent(folder, masks, kind=Exchange.COCO):
    """Masks as another tool would give them."""
    folder.mkdir()
    cases = [SentCase(case_id, Image.new("RGB", mask.shape[::-1]), mask) for case_id, mask in masks.items()]
    write_cases(kind, folder, cases, TRUE)


def verdicts(tmp_path, run, *records):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/ann.jsonl").write_text(verdict_lines(run, *records))


def turned(folder, case_id, row=3):
    """One mask of an exported folder corrected."""
    path = folder / f"masks/{case_id}.png"
    Image.fromarray(corrected(np.asarray(Image.open(path)) > 0, row).astype(np.uint8) * 255).save(path)


def in_viewer(tmp_path, case_id, row):
    """Ann's correction of a case, drawn in the viewer."""
    source, store = open_source(tmp_path / "run", open_dataset(tmp_path / "data")), CorrectionStore(tmp_path / "c")
    start = beginning(source, case_id, BeganFrom.PREDICTION)
    mask = corrected(start.mask, row)
    record = start.record("ann", mask, seconds=900.0, tools=[CorrectionTool.BRUSH], after=store.records())
    store.save(record, mask)
    return record.id
