"""Hostile inputs through the real readers and the pipeline, and planted names that must not come out."""

import io
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, PngImagePlugin

from helpers.core.errors import VesselkitError
from helpers.data.dataset import open_dataset
from helpers.data.ids.case_ids import IdPolicy
from helpers.prediction.run import predict
from helpers.runs.run_folder import open_run
from tests.support.dicom_files import PLANTED, angiogram, write
from tests.support.plain_predictor import PROMPT, PlainPredictor

GOOD = ("good_1.png", "good_2.png")
UNPLACED = "left out"


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, packed, depth=8, colour=0):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def encoded(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def grey(width=8, height=6):
    return Image.fromarray(np.arange(width * height, dtype=np.uint8).reshape(height, width))


GOOD_PNG = encoded(grey(), "PNG")

# Name, content, and the status that the frame gets.
FILES = [
    ("huge.png", png(30000, 30000, zlib.compress(bytes(100))), "bad_size"),
    ("bomb.png", png(9000, 9000, zlib.compress(bytes(9001 * 9000), 9)), "bad_size"),
    ("nothing.png", png(0, 0, zlib.compress(b"")), "read_error"),
    ("cut.jpg", encoded(grey(64, 64), "JPEG")[:300], "read_error"),
    ("cut.png", GOOD_PNG[:-20], "read_error"),
    ("flipped.png", GOOD_PNG[:45] + bytes([GOOD_PNG[45] ^ 255]) + GOOD_PNG[46:], "read_error"),
    ("text.png", b"<script>alert(1)</script>", "read_error"),
    ("empty.png", b"", "read_error"),
    ("moving.gif", encoded(grey(), "GIF", save_all=True, append_images=[grey().rotate(90)]), "read_error"),
    ("deep.png", png(2, 2, zlib.compress(bytes(2 * 13)), depth=16, colour=2), "read_error"),
    ("program.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "read_error"),
    ("<img src=x onerror=alert(1)>.png", GOOD_PNG, "ok"),
    ("=cmd|' !A0'.png", GOOD_PNG, "ok"),
    ("Gefäß-血管-\u202egnp.png", GOOD_PNG, "ok"),
    ("n" * 240 + ".png", GOOD_PNG, "ok"),
    ("Same.png", GOOD_PNG, "ok"),
    ("same.png", GOOD_PNG, "ok"),
    ("new\nline.png", GOOD_PNG, "ok"),
    ("one_pixel.png", encoded(Image.new("L", (1, 1)), "PNG"), "ok"),
    ("thread.png", encoded(grey(48, 1), "PNG"), "ok"),
]


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in GOOD:
        (folder / name).write_bytes(GOOD_PNG)
    return folder


def outcome(data, run):
    """Status of each frame by the name of its file, after a finished run."""
    frames = open_dataset(data, layout="images").frames
    assert predict(frames, PlainPredictor(), run, [PROMPT], batch_size=4).complete
    statuses = open_run(run).table().set_index("case_id")["status"].astype(str)
    statuses = statuses.where(~statuses.isin(["empty_mask", "full_mask"]), "ok")
    found = {frame.path.name: statuses[frame.case_id] for frame in frames}
    assert [found[name] for name in GOOD] == ["ok", "ok"], "other frames suffered"
    return found


def test_twenty_hostile_images_together(data, tmp_path):
    for name, content, _ in FILES:
        (data / name).write_bytes(content)
    found = outcome(data, tmp_path / "run")
    assert {name: found.get(name, UNPLACED) for name, _, _ in FILES} == {name: status for name, _, status in FILES}
    text = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert b"onerror" not in text and b"=cmd" not in text and b"<script" not in text


def test_things_that_are_no_files(data, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(GOOD_PNG)
    (data / "outside.png").symlink_to(secret)
    (data / "broken.png").symlink_to(data / "missing.png")
    (data / "loop.png").symlink_to(data / "loop.png")
    (data / "folder.png").mkdir()
    os.mkfifo(data / "pipe.png")
    found = outcome(data, tmp_path / "run")
    strays = {name: found[name] for name in found if name not in GOOD}
    assert set(strays.values()) <= {"read_error"} and "outside.png" not in strays


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(data, tmp_path):
    (data / "closed.png").write_bytes(GOOD_PNG)
    (data / "closed.png").chmod(0)
    assert outcome(data, tmp_path / "run")["closed.png"] == "read_error"


def test_a_file_that_vanishes_after_the_listing(data, tmp_path):
    frames = open_dataset(data, layout="images").frames
    (data / "good_2.png").unlink()
    predict(frames, PlainPredictor(), tmp_path / "run", [PROMPT], batch_size=4)
    statuses = {frame.path.name: frame.case_id for frame in frames}
    table = open_run(tmp_path / "run").table().set_index("case_id")["status"].astype(str)
    assert table[statuses["good_2.png"]] == "read_error" and table[statuses["good_1.png"]] != "read_error"


@pytest.mark.parametrize(
    "entry",
    [
        {"image": "../secret.png"},
        {"image": "/etc/passwd"},
        {"image": "C:\\secret.png"},
        {"image": "a\u0000.png"},
        {"image": "link/secret.png"},
        {"image": 7},
        {"image": "good_2.png", "mask": [[[float("nan"), 1.0, 2.0, 3.0, 4.0, 5.0]]]},
        {"image": "good_2.png", "mask": [[[1e308, 1.0, 2.0, 3.0, 4.0, 5.0]]]},
        {"image": "good_2.png", "mask": "x"},
    ],
)
def test_hostile_annotations_spare_the_other_cases(tmp_path, entry):
    data = tmp_path / "data"
    data.mkdir()
    for name in GOOD:
        (data / name).write_bytes(GOOD_PNG)
    (tmp_path / "secret.png").write_bytes(GOOD_PNG)
    (data / "link").symlink_to(tmp_path)
    good = {"image": "good_1.png", "mask": [[[0.0, 0.0, 4.0, 0.0, 4.0, 4.0]]], "text": ["vessel"]}
    (data / "annotations.json").write_text(json.dumps([good, {"text": ["vessel"], **entry}]))
    try:
        dataset = open_dataset(data / "annotations.json")
    except VesselkitError as refused:
        assert "annotations.json" in str(refused)
        return
    assert all(frame.path.resolve().is_relative_to(data) for frame in dataset.frames)
    predict(dataset.frames, PlainPredictor(), tmp_path / "run", [PROMPT], batch_size=4)
    statuses = open_run(tmp_path / "run").table().set_index("case_id")["status"].astype(str)
    placed = {frame.path.name: statuses[frame.case_id] for frame in dataset.frames}
    assert placed["good_1.png"] in {"ok", "empty_mask", "full_mask"}
    assert "good_2.png" in placed or dataset.faults


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a": ' * 100_000, b'[{"image": "good_1.png", "mask": [[' + b"1," * 20 + b"]]}"]
)
def test_hostile_json_is_refused(data, content):
    (data / "annotations.json").write_bytes(content)
    with pytest.raises(VesselkitError, match=r"annotations\.json"):
        open_dataset(data / "annotations.json")


def test_json_of_200_megabytes_is_refused_at_once(data):
    with (data / "annotations.json").open("wb") as file:
        file.write(b"[")
        file.truncate(200_000_000)
    with pytest.raises(VesselkitError, match=r"annotations\.json"):
        open_dataset(data / "annotations.json")


NAMES = ("Mustermann", "Erika", "19511012", "4711ABC", *PLANTED)


def decoded(path: Path) -> bytes:
    """A file's bytes, with those of what it packs: parquet columns, npz arrays, PNG text chunks."""
    content = path.read_bytes()
    if path.suffix == ".parquet":
        content += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
        content += repr(pq.read_schema(path).metadata).encode()
    elif path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            content += b"".join(name.encode() + stored[name].tobytes() for name in stored.files)
    elif path.suffix == ".png":
        with Image.open(path) as image:
            content += repr(image.info).encode()
    return content


def test_no_planted_name_comes_out(tmp_path, caplog, capfd):
    data = tmp_path / "Mustermann_Erika"
    data.mkdir()
    facts = PngImagePlugin.PngInfo()
    facts.add_text("Patient", "Mustermann^Erika 4711ABC")
    grey().save(data / "Mustermann_Erika_19511012.png", pnginfo=facts)
    (data / "4711ABC.png").write_bytes(b"Mustermann")
    frames = list(open_dataset(data, layout="images").frames)
    films = tmp_path / "films"
    write(films / "Mustermann.dcm", angiogram(np.arange(2 * 6 * 8).reshape(2, 6, 8)))
    dicom = open_dataset(films).frames
    assert len(dicom) == 2
    predictor = PlainPredictor({0: RuntimeError(f"failed on {data}/Mustermann_Erika_19511012.png")})
    predict([*frames, *dicom], predictor, tmp_path / "run", [PROMPT], batch_size=1)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(files) > 5
    said = caplog.text + "".join(capfd.readouterr())
    for name in NAMES:
        assert name not in said
        for path in files:
            assert name.encode() not in decoded(path) and name not in path.name, path
    assert set(open_run(tmp_path / "run").table()["status"].astype(str)) >= {"error", "read_error"}


@pytest.mark.parametrize("policy", list(IdPolicy))
def test_no_name_of_a_header_comes_out_under_any_id_policy(tmp_path, policy, caplog, capfd):
    films = tmp_path / "films"
    header = angiogram(np.arange(2 * 6 * 8).reshape(2, 6, 8))
    write(films / "cine.dcm", header)
    single = angiogram(np.arange(6 * 8).reshape(6, 8), PatientID="", InstanceNumber=1)
    write(films / "single.dcm", single)
    (films / "dataset.json").write_text('{"ids": "public"}')
    dataset = open_dataset(films, ids=policy)
    predict(dataset.frames, PlainPredictor(), tmp_path / "run", [PROMPT], batch_size=1)
    assert any("digest" in note for note in dataset.notes) == (policy is not IdPolicy.PSEUDONYM)
    uids = [str(uid) for each in (header, single) for uid in (each.SeriesInstanceUID, each.SOPInstanceUID)]
    said = caplog.text + "".join(capfd.readouterr()) + repr(dataset.notes)
    for name in (*PLANTED, *uids):
        assert name not in said
        for path in (tmp_path / "run").rglob("*"):
            assert name not in path.name
            assert path.is_dir() or name.encode() not in decoded(path), path
