"""Folders of the kit are told apart, and what is named in place of another says what to name."""

import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Exported
from helpers.data.exported_masks import ExportedMasks, write_exported
from helpers.review.kit_folders import (
    KitFolder,
    kit_folder,
    require_corrected_masks,
    require_corrections,
    require_for_corrections,
    require_verdicts,
)

SCHEMA = "vesselkit."
FILES = {
    "run": ("run.json", f'{{"config": {{}}, "schema": "{SCHEMA}run"'),  # cut off
    "old": ("manifest.json", f'{{"schema": "{SCHEMA}run"}}'),
    "damaged": ("predictions.parquet", ""),
    "scores": ("summary.json", f'{{"schema": "{SCHEMA}metrics"}}'),
    "corrections/ann": ("record.jsonl", ""),
    "verdicts": ("ann.jsonl", f'{{"schema": "{SCHEMA}verdict"}}'),
    "nnunet": ("summary.json", "{}"),
    "plain": ("x.txt", ""),
}


@pytest.fixture
def root(tmp_path):
    for folder, (name, text) in FILES.items():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(text)
    for folder, what in (("sent", Exported.TO_FIX), ("pairs", Exported.PAIRS)):
        (tmp_path / folder).mkdir()
        write_exported(tmp_path / folder, ExportedMasks(what, None, {}))
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_each_folder_is_told_by_its_own_files(root):
    told = {path.name: kit_folder(path) for path in root.iterdir()}
    assert told == {
        "run": KitFolder.RUN,
        "old": KitFolder.RUN,
        "damaged": KitFolder.RUN,
        "scores": KitFolder.METRICS,
        "corrections": KitFolder.CORRECTIONS,
        "verdicts": KitFolder.VERDICTS,
        "sent": KitFolder.EXPORT,
        "pairs": KitFolder.PAIRS,
        "nnunet": None,
        "plain": None,
        "empty": None,
    }
    assert kit_folder(root / "corrections/ann") is KitFolder.READER and kit_folder(root / "absent") is None


@pytest.mark.parametrize("given", ["run", "run/masks", "run/masks/c1", "run/a/b/x.json", "scores", "pairs/chosen"])
def test_what_nobody_corrected_is_refused_within_two_folders_and_below(root, given):
    file = root / given if given.endswith(".json") else root / given / "x.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    with pytest.raises(RefusedInput, match="expected masks that a reader corrected, and .* a folder of the kit with"):
        require_corrected_masks(root / given)


def test_what_may_be_corrected_masks_is_taken(root):
    (root / "run/sent/masks").mkdir(parents=True)
    write_exported(root / "run/sent", ExportedMasks(Exported.TO_FIX, None, {}))
    for given in ("sent", "run/sent/masks", "nnunet", "plain", "empty"):
        require_corrected_masks(root / given)
    for given in ("corrections", "corrections/ann", "."):
        with pytest.raises(RefusedInput, match="expected masks that a reader corrected"):
            require_corrected_masks(root / given)


def test_corrections_are_kept_in_a_folder_of_their_own(root):
    for given in ("absent", "empty", "corrections"):
        require_for_corrections(root / given, "--output")
    for given, found in (("run", "a run"), ("sent", "masks that the kit exported"), ("plain", "other files")):
        with pytest.raises(RefusedInput, match=f"--output .*{given}: expected a new or empty .* found {found}"):
            require_for_corrections(root / given, "--output")


@pytest.mark.parametrize(
    ("given", "of_corrections", "of_verdicts"),
    [
        ("corrections", None, "found corrections of readers. Name the one that the review names"),
        ("corrections/ann", "found one reader's corrections. Name the folder above it, ", "found one reader's"),
        ("verdicts", r"found verdicts of reviewers. Name \S+corrections$", None),
        ("verdicts/ann.jsonl", "found a file. .* --import FILE", "found a file. .* name the folder that it lies in"),
        ("run", "found a run. Name the folder in which", "found a run"),
        (".", r"found one above it. Name \S+corrections$", r"found one above it. Name \S+verdicts$"),
        ("plain", None, None),
    ],
)
def test_a_folder_that_is_named_in_place_of_another_is_told(root, given, of_corrections, of_verdicts):
    for require, said in ((require_corrections, of_corrections), (require_verdicts, of_verdicts)):
        if said is None:
            require(root / given, "--x")
            continue
        with pytest.raises(UsageProblem, match=said):
            require(root / given, "--x")
