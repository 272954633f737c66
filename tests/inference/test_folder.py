"""A run over a folder of frames: statuses, files, no names, nothing half done.

The callables answer as a model could; they test the run folder and are no model.
"""

import csv
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.atomic import partial_folder, write_json_atomic
from helpers.errors import RefusedInput, UsageProblem
from helpers.inference.folder import build_manifest, number_cases, predict_cases, predict_folder
from helpers.inference.prediction import mask_from_logits
from helpers.inference.run_folder import read_logits, read_manifest, read_mask, safe_text

NAME = "DOE_JOHN_1234567"


def answer(image, prompt):
    """An answer that depends on the grey value of the frame's first pixel."""
    grey = image.getpixel((0, 0))[0]
    bright = np.where(np.asarray(image)[None, ..., 0] > 100, 3.3, -3.3).astype(np.float32)
    if grey == 1:
        return {"prediction": "=1+1 nothing here", "prediction_logits": []}
    if grey == 2:
        return {"prediction": "[SEG] [SEG]", "prediction_logits": [bright, -bright]}
    if grey == 3:
        return {"prediction": "[SEG]", "prediction_logits": [bright * np.nan]}
    if grey == 4:
        raise torch.OutOfMemoryError(f"out of memory while reading {NAME}_5.png")
    return {"prediction": "Sure, [SEG].", "prediction_logits": [bright]}


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, grey in enumerate((0, 1, 2, 3, 4), start=1):
        values = np.full((4, 6), grey, np.uint8)
        values[1, 1:4] = 200
        Image.fromarray(values).save(folder / f"{NAME}_{number}.png")
    (folder / f"{NAME}_10.png").write_bytes(b"broken")
    return folder


def run(images, output):
    with partial_folder(output) as partial:
        rows = predict_cases(answer, number_cases(images), partial, prompt="vessel", threshold=0.5)
        write_json_atomic(partial / "manifest.json", build_manifest({"prompt": "vessel"}, {}, rows))
    return rows


def test_each_frame_gets_its_status_and_only_real_masks_exist(images, tmp_path):
    output = tmp_path / "run"
    rows = run(images, output)
    found = {row.case_id: row.status.value for row in rows}
    assert found == {
        "case_0001": "ok",
        "case_0002": "no_seg",
        "case_0003": "full_mask",
        "case_0004": "nan_logits",
        "case_0005": "error",
        "case_0006": "read_error",
    }
    assert sorted(path.stem for path in (output / "masks").iterdir()) == ["case_0001", "case_0003"]
    assert sorted(path.stem for path in (output / "logits").iterdir()) == ["case_0001", "case_0003"]
    assert read_mask(output, "case_0002") is None and read_logits(output, "case_0005") is None


def test_masks_are_made_from_the_stored_logits(images, tmp_path):
    output = tmp_path / "run"
    run(images, output)
    logits, mask = read_logits(output, "case_0001"), read_mask(output, "case_0001")
    assert logits.dtype == np.float16 and logits.shape == (1, 4, 6)
    assert mask.sum() == 3 and mask[1, 1:4].all()
    assert np.array_equal(mask, mask_from_logits(logits, 0.5))
    assert read_logits(output, "case_0003").shape == (2, 4, 6)
    with Image.open(output / "masks" / "case_0001.png") as image:
        assert image.mode == "L" and set(np.unique(np.asarray(image))) == {0, 255}


def test_table_and_manifest(images, tmp_path):
    output = tmp_path / "run"
    run(images, output)
    with (output / "predictions.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["case_id"] for row in table] == [f"case_{index:04d}" for index in range(1, 7)]
    assert table[0]["mask_pixels"] == "3" and table[0]["mask_fraction"] == "0.125" and table[0]["seg_count"] == "1"
    assert table[1]["text"].startswith("'=1+1") and table[1]["mask_pixels"] == "" and table[1]["seg_count"] == "0"
    assert "OutOfMemoryError" in table[4]["message"] and table[4]["width"] == "6"
    assert "not an image" in table[5]["message"] and table[5]["width"] == ""
    manifest = read_manifest(output)
    assert manifest["images"] == 6 and sum(manifest["counts"].values()) == 6
    assert manifest["counts"]["ok"] == 1 and manifest["counts"]["truncated"] == 0
    assert manifest["seconds_per_image"]["max"] >= manifest["seconds_per_image"]["median"] >= 0


def test_no_file_name_reaches_any_output(images, tmp_path, caplog, capfd):
    output = tmp_path / "run"
    with caplog.at_level("DEBUG"):
        run(images, output)
    files = [path for path in output.rglob("*") if path.is_file()]
    assert len(files) == 6
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                content += b"".join(archive.read(member) for member in archive.namelist())
        for trace in (NAME, "DOE", "1234567", str(images)):
            assert trace.encode() not in content, path.name
            assert trace not in path.name
    streams = capfd.readouterr()
    assert NAME not in caplog.text and NAME not in streams.out + streams.err
    assert "case_0005" in caplog.text


@pytest.mark.parametrize("stop", [KeyboardInterrupt, TypeError])
def test_an_interrupted_run_leaves_nothing_that_looks_complete(images, tmp_path, stop):
    output = tmp_path / "results" / "run"
    output.parent.mkdir()
    seen = []

    def interrupted(image, prompt):
        seen.append(prompt)
        if len(seen) == 3:
            raise stop
        return answer(image, prompt)

    with pytest.raises(stop), partial_folder(output) as partial:
        predict_cases(interrupted, number_cases(images), partial, prompt="vessel", threshold=0.5)
    assert not output.exists()
    assert not list(output.parent.rglob("manifest.json"))
    with pytest.raises(RefusedInput, match="finished run"):
        read_manifest(output)


def test_case_numbers_count_the_whole_folder(images):
    cases = number_cases(images)
    assert [case.path.stem.removeprefix(f"{NAME}_") for case in cases] == ["1", "2", "3", "4", "5", "10"]
    assert cases[5].case_id == "case_0006"


@pytest.mark.parametrize(
    ("options", "words"), [({"prompt": "  "}, "prompt"), ({"threshold": 1.0}, "threshold"), ({"limit": 0}, "limit")]
)
def test_bad_parameters_come_before_any_work(images, tmp_path, options, words):
    values = {"prompt": "vessel", **options}
    with pytest.raises(UsageProblem, match=words):
        predict_folder(tmp_path / "no model", images, tmp_path / "run", **values)
    assert not (tmp_path / "run").exists()


def test_missing_model_and_missing_images_are_refused(images, tmp_path):
    with pytest.raises(RefusedInput, match="vesselkit convert"):
        predict_folder(tmp_path / "no model", images, tmp_path / "run", "vessel")
    with pytest.raises(RefusedInput, match="folder of images"):
        predict_folder(tmp_path / "no model", tmp_path / "absent", tmp_path / "run", "vessel")


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"schema": "vesselkit.run", "schema_version": 1})])
def test_other_manifests_are_refused(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(RefusedInput, match=r"manifest.json"):
        read_manifest(tmp_path)


def test_formula_safe_texts():
    assert [safe_text(text) for text in ("=A1", "+1", "-1", "@x", "\t=A1", "Sure")] == [
        "'=A1",
        "'+1",
        "'-1",
        "'@x",
        "'\t=A1",
        "Sure",
    ]
