"""A model folder before it is handed on: what is found in its files, and scores on its card."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from helpers.checkpoints.convert.conversion_record import SCHEMA, SCHEMA_VERSION
from helpers.checkpoints.convert.model_card import CardPart, card_text, write_part
from helpers.checkpoints.private_traces import TraceKind, files_of, text_of, traces_in
from helpers.core.card_parts import CARD_NAME, with_part
from helpers.core.errors import RefusedInput
from helpers.data.ids.id_key import key_at, machine_key_path
from helpers.evaluation.leakage.kept_names import keep_names
from helpers.evaluation.leakage.training_files import read_training_text
from helpers.evaluation.metrics_folder import Metrics
from helpers.stages import publish_stage
from helpers.stages.publish_stage import publish_check, scores_text

MODEL = "a" * 64
CONFIG = b'{"family": "internvl",\n "model_type": "sa2va"}\n'
OUTPUTS = {"config.json": {"sha256": sha256(CONFIG).hexdigest(), "bytes": len(CONFIG)}}
HOME = "/".join(("", "home", "lee"))
ROW = {
    "metric": "dice", "mean": 0.8, "low": 0.75, "high": 0.85, "interval": "Student's t, logit scale", "unit": "patient",
    "n_units": 12, "n_cases": 96, "n_sequences": 24, "n_patients": 12, "few": False, "unit_means": None,
}  # fmt: skip


def record(**changes):
    return {
        "schema": SCHEMA, "schema_version": SCHEMA_VERSION, "created": "2026-12-01T00:00:00+00:00",
        "versions": {"vesselkit": "0.2.0"}, "settings": {"base": {"value": "InternVL3-8B", "source": "--base"}},
        "dtype": "bfloat16",
        "tensors_sha256": MODEL, "inputs": [], "outputs": OUTPUTS, "targets": [],
        "sources": {}, "changes": [], "notes": [], "left_aside": {}, "total_bytes": 0,
    } | changes  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with what the check reads: card, record and config."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "machine"))
    monkeypatch.setattr(publish_stage.getpass, "getuser", lambda: "kwon.ji")
    path = tmp_path / "my-model"
    path.mkdir()
    (path / "conversion.json").write_text(json.dumps(record(), indent=1))
    (path / "config.json").write_bytes(CONFIG)
    (path / CARD_NAME).write_text(card_text("my-model", record(), {"family": "internvl"}, None, None))
    return path


def test_a_clean_folder_ends_with_the_hubs_own_line(folder):
    report = publish_check(folder)
    assert report.ok, report.to_text()
    assert report.to_text().splitlines()[-1] == f"hf upload USER/NAME {folder} ."
    assert "3 files for paths" in report.to_text() and "training images: not looked for" in report.to_text()


def test_each_finding_names_file_and_line_and_what_to_do(folder):
    with (folder / CARD_NAME).open("a") as card:
        card.write("\nTrained on /data/hospital/angio by Kwon.Ji\n")
    last = len((folder / CARD_NAME).read_text().splitlines())
    (folder / "config.json").write_text('{"family": "internvl",\n "_name_or_path": "' + HOME + '/InternVL3"}\n')
    (folder / "conversion.json").write_text(json.dumps(record(notes=["not read: D:\\study\\x.py"]), indent=1))
    (folder / "notes").mkdir()
    (folder / "notes" / "run.txt").write_text("WANDB_API_KEY=0123456789abcdef\n")
    (folder / "frame.png").write_bytes(b"\x89PNG\0")
    (folder / "DOE^JANE.md").write_text("see ann@lab.org\n")
    (folder / "ROE^ANN.png").write_bytes(b"\0")
    (folder / "here.txt").symlink_to(CARD_NAME)
    (folder / "away").symlink_to(folder.parent)
    (folder / "DOE^A").symlink_to("nowhere")
    text = publish_check(folder).to_text()
    for said in (
        f"{CARD_NAME}, line {last}, column 12: an absolute path. Write the last name of it alone here",
        f"{CARD_NAME}, line {last}, column 36: the name of this machine or of its user. Take it out here",
        "config.json, line 2, column 20: an absolute path. Write the last name of it alone in the base's folder, and",
        "notes/run.txt, line 1, column 7: an access key or password. Revoke it where it was made, then take it out",
        "the name of file 1 of 8, in the order of the alphabet, tells a patient's name or number. Rename it",
        "file 1 of 8, line 1, column 5: an e-mail address",
        "file 3 of 8: neither a text",
        "a link away: it leads to a folder, to nothing, or by an absolute path. Put that itself here",
        "a link with a name that tells of somebody: it",
        "frame.png: neither a text in UTF-8 nor a file of the export. Look at it; take it away, or save it so",
    ):
        assert said in text
    assert "conversion.json, line " in text and "convert again" in text
    assert (
        "hf upload" not in text
        and "hospital" not in text
        and "0123456789" not in text
        and "OE^" not in text
        and text.count("FINDING: a link") == 2
    )


def test_a_lost_and_a_changed_file_are_found(folder):
    (folder / "config.json").write_text("{}")
    assert "FINDING: file changed since the conversion: config.json. Convert again" in publish_check(folder).to_text()
    (folder / "config.json").unlink()
    text = publish_check(folder).to_text()
    assert "FINDING: file missing: config.json. Convert again" in text and "hf upload" not in text


def test_names_of_training_images_are_known_by_their_hashes(folder, tmp_path):
    (tmp_path / "train.json").write_text(json.dumps([{"image": "DOE/P12X_S1_001.png"}]))
    read = read_training_text("a = ['train.json']", tmp_path / "c.py", (tmp_path,))
    keep_names(read, MODEL, key_at(machine_key_path()))
    assert publish_check(folder).ok
    with (folder / CARD_NAME).open("a") as card:
        card.write("as in P12X_S1_001.png\n\nand p12x too\n")
    text = publish_check(folder).to_text()
    assert text.count("the name of a training image or of its patient") == 2 and "names of 1 training image" in text


def test_a_card_of_another_model_and_a_lost_card_are_found(folder):
    card = folder / CARD_NAME
    card.write_text(card.read_text().replace(MODEL, "b" * 64))
    assert "README.md names the tensors_sha256 of another model" in publish_check(folder).to_text()
    card.write_text("# mine\n")
    assert "README.md does not name this model's tensors_sha256" in publish_check(folder).to_text()
    card.unlink()
    assert "README.md: no model card" in publish_check(folder).to_text()


@pytest.mark.parametrize(
    "text, kinds",
    [
        ("`/mnt/a/b`, (/mnt/a/b)", [TraceKind.PATH]),
        ('"C:\\\\data\\\\x"', [TraceKind.PATH]),
        ("mail ann.lee@hospital.org", [TraceKind.MAIL]),
        ("hf_" + "a" * 30, [TraceKind.KEY]),
        ("https://user:word@host/x", [TraceKind.KEY]),
        ("DOE^JANE", [TraceKind.PERSON]),
        ("Patient ID: 4", [TraceKind.PERSON]),
        (
            "https://hub.co/a/b, and/or, docs/x.md, ](docs/a/b.md) 1/2/3 </think> /think b, patient-wise, **patients**",
            [],
        ),
        (
            '"eos_token": "<|endoftext|>", "token_ids": 151645123, 3 @ 5, ~5/7, **/a/b, "hub_token": null',
            [],
        ),
        (
            "\"{{ '\\\\n\\\\nYou' }} \\\\d+\\\\w\"",
            [],
        ),
        *(
            (text, [TraceKind.PATH])
            for text in (
                "\\\\server\\share",
                '"\\\\\\\\server\\\\share"',
                "~/study",
                "~lee/study",
                "host:/data/a",
                "file://server/a",
                "s3://bucket/a",
                "**/data/a**",
                "</data/a>",
                '"/My Data/a"',
                '"\\/data\\/a"',
                '"\\u002fdata\\u002fa"',
                "c:/users/lee",
            )
        ),
        *(
            (text, [TraceKind.KEY])
            for text in (
                "my_hf_" + "a" * 30,
                "ASIA" + "A1" * 8,
                "npm_" + "a" * 36,
                '"hf_token": "abcdefghij"',
                "pwd=hunter2hunter",
                "Bearer abcdefghijklmnop12",
                "token='abcdefghijklmnop12'",
                "-----BEGIN PGP PRIVATE KEY BLOCK-----",
            )
        ),
        *(
            (text, [TraceKind.PERSON])
            for text in (
                "患者姓名：王小明",
                '"\\u59d3\\u540d: \\u738b"',
                "病人ID: 4",
                "王^小明",
                "patient-id: 4",
                "Patient No. 4",
                "MRN: 7",
                "Accession number = 7",
                "11010519491231002X",
            )
        ),
    ],
)
def test_what_is_a_trace(text, kinds):
    assert [found.kind for found in traces_in("notes.md", text, None, lambda word: False)] == kinds


def test_lines_are_counted_as_editors_count_them_and_a_long_one_takes_no_minutes():
    text = "a\u2028b\x0cc\r\nDOE^JANE\n" + "aB3/+" * 40_000 + "\rann@lab.org"
    found = traces_in("notes.md", text, None, lambda word: False)
    assert [(one.line, one.column) for one in found] == [(2, 1), (4, 1)]


def test_columns_are_those_of_the_line_as_it_is_written():
    line = '"\\u738b\\u5c0f": "\\/data\\/a", "m": "ann@lab.org", "x": "P12Z"'
    found = traces_in("config.json", line, None, lambda word: word == "P12Z")
    assert [one.column - 1 for one in found] == [line.index("ann"), line.index("\\/data"), line.index("P12Z")]


def test_vocabularies_hold_pieces_of_any_word():
    line = '"/usr/lib": 1, "Patient ID:": 2'
    assert not traces_in("vocab.json", line, None, lambda word: True)
    assert traces_in("tokenizer.json", f'"name": "{HOME}/base"', None, lambda word: False)[0].kind is TraceKind.PATH


def test_remarks_in_a_weight_files_header_are_read(tmp_path):
    header = json.dumps({"__metadata__": {"from": f"{HOME}/x"}, "w": {}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (tmp_path / "cut.safetensors").write_bytes(b"\xff" * 20)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").touch()
    assert files_of(tmp_path) == [Path("cut.safetensors"), Path("model.safetensors")]
    assert HOME in text_of(tmp_path / "model.safetensors") and text_of(tmp_path / "cut.safetensors") is None


def metrics(model=MODEL, row=None, **run):
    summary = {
        "dataset": {"cases": 96}, "comparisons": [], "warnings": ["w"],
        "runs": [
            {"name": "ours", "model": {"tensors_sha256": model}, "prompt": "Segment <x>.", "threshold": 0.5,
             "config_sha256": "c" * 64, "outcomes": {"scored": 96, "failed": 0, "missing": 0},
             "summary": [{**ROW, **(row or {})}], **run}
        ],
        "standing": {"title": "", "runs": [{"run": "ours", "title": "TRAINING patients (12)"}]},
    }  # fmt: skip
    return Metrics(Path("scores"), summary)


def test_scores_stand_with_what_they_rest_on():
    text = scores_text(metrics(), MODEL)
    assert "scores of TRAINING patients (12)" in text and f"`{MODEL}`" in text
    assert "| Dice | 0.800 [0.750, 0.850] | 96 cases, 24 sequences, 12 patients |" in text and "1 warning" in text


def test_scores_of_few_patients_name_none_of_them():
    few = {
        "low": None,
        "high": None,
        "n_units": 2,
        "n_patients": 2,
        "few": True,
        "unit_means": {"DOE": 0.7, "ROE": 0.9},
    }
    text = scores_text(metrics(row=few), MODEL)
    said = (
        "| Dice | 0.800 no interval from 2 patients, of at least 5, fewer than 10 patients | 96 cases, 24 sequences, 2"
    )
    assert said in text
    assert "DOE" not in text


def test_an_edit_distance_is_no_score():
    text = scores_text(metrics(edit_distance={"cases": 96, "accepted": 0}), MODEL)
    assert "no headline" in text and "| Dice |" not in text


@pytest.mark.parametrize("model, said", [("b" * 64, "found those of bbbb"), (None, "something without weights")])
def test_scores_of_another_model_are_refused(model, said):
    with pytest.raises(RefusedInput, match=said):
        scores_text(metrics(model), MODEL)


def test_a_part_is_written_anew_and_the_words_around_it_stay(folder):
    card = (folder / CARD_NAME).read_text() + "\nmine\n"
    once = with_part(card, CardPart.SCORES, "first")
    again = with_part(once, CardPart.SCORES, "second")
    assert "second" in again and "first" not in again and again.endswith("\nmine\n")
    assert with_part(again, CardPart.SCORES, "first") == once
    own = b"\r\nmine: \xff\r\n"  # another editor's line ends and letters
    (folder / CARD_NAME).write_bytes((folder / CARD_NAME).read_bytes() + own)
    write_part(folder, CardPart.SCORES, "first")
    assert (folder / CARD_NAME).read_bytes().endswith(own) and b"\nfirst\n" in (folder / CARD_NAME).read_bytes()
    begin, end = "<!-- vesselkit scores: begin -->", "<!-- vesselkit scores: end -->"
    for torn in (
        f"a {begin} mine",
        f"a {end} mine {begin} b",
        f"{begin} mine {begin} old {end} b",
        f"{begin} old {end} mine {end}",
    ):
        written = with_part(with_part(torn, CardPart.SCORES, "first"), CardPart.SCORES, "second")
        assert " mine" in written and written.count("second") == 1 and not {"first", "old"} & set(written.split())
    assert with_part(f"{begin} old {end} mine {begin} old {end}", CardPart.SCORES, "new").count("new") == 2
    assert with_part("# short\n", CardPart.CHECK, "yes").endswith(
        "check: begin -->\nyes\n<!-- vesselkit check: end -->\n"
    )
