"""`vesselkit data check` and `vesselkit data who`."""

import json
import shlex

import numpy as np
import pytest
from PIL import Image

from helpers.data.dataset import open_dataset


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2):
        for part, value in (("images", number), ("masks", 0)):
            (tmp_path / "set" / part).mkdir(parents=True, exist_ok=True)
            picture = Image.new("L", (8, 8), value)
            picture.paste(255, (2, 2, 4, 4))
            picture.save(tmp_path / "set" / part / f"Doe_1_{number}.png")
    return tmp_path / "set"


def test_a_sound_set_passes_and_an_id_leads_back(call, folder):
    checked = call("data", "check", "set", "--json")
    assert checked.code == 0, checked.err
    found = json.loads(checked.out)
    assert (found["schema"], found["schema_version"]) == ("vesselkit.audit", 1)
    assert (found["cases"], found["counts"]["error"]) == (2, 0) and "Doe" not in checked.out
    case_ids = json.loads((folder / ".vesselkit" / "id-map.json").read_text())["cases"]
    asked = call("data", "who", case_ids["images/Doe_1_2.png"], "--data", "set")
    assert (asked.code, asked.out) == (0, f"{folder / 'images' / 'Doe_1_2.png'}\n")


def test_errors_end_with_1_and_are_written(call, folder, tmp_path):
    Image.new("L", (9, 8)).save(folder / "masks" / "Doe_1_1.png")
    checked = call("data", "check", "set", "--output", "out", "--id-key", "keys/my.key")
    assert checked.code == 1 and "size_mismatch" in checked.out and "1 error," in checked.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "findings.csv",
        "findings.json",
        "contact_sheet.png",
    }
    assert (tmp_path / "keys" / "my.key").is_file() and not (folder / ".vesselkit").exists()
    assert call("data", "who", "C1", "--id-key", "keys/my.key").code == 2


def test_a_card_holds_numbers_and_no_names_and_keeps_what_people_wrote(call, folder, tmp_path):
    assert "--card: expected --output DIR" in call("data", "check", "set", "--card").err
    assert call("data", "check", "set", "--card", "--output", "out").code == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert "size_categories:\n- n<1K\n" in card and "| frames | 2 |" in card and "| 8x8 | 2 |" in card
    assert "| 8 bits | 2 |" in card and "View: not told." in card and "No split is kept with the data." in card
    assert not any(word in card for word in ("Doe", str(tmp_path), "P001", "C1")) and "license:" not in card[:100]
    (tmp_path / "out" / "README.md").write_text(card + "\nFrom two devices.\n")
    Image.new("L", (9, 8), 7).save(folder / "images" / "Doe_1_3.png")
    assert call("data", "check", "set", "--card", "--output", "out").code == 0
    again = (tmp_path / "out" / "README.md").read_text()
    assert "| frames | 3 |" in again and "| frames | 2 |" not in again and again.endswith("\nFrom two devices.\n")


def test_kept_ids_lead_back_without_a_map(call, folder):
    assert "name_in_path" not in call("data", "check", "set", "--ids", "keep").out
    asked = call("data", "who", "Doe_1_1", "--data", "set")
    assert asked.out == f"{folder / 'images' / 'Doe_1_1.png'}\n" and "it is the original name" in asked.err


def test_kept_ids_lead_back_beside_a_map_too(call, folder):
    call("data", "check", "set")
    assert call("data", "who", "Doe_1_1", "--data", "set").out == f"{folder / 'images' / 'Doe_1_1.png'}\n"


@pytest.mark.parametrize(
    "arguments", [["C1"], ["C1", "--data", "set"], ["C1", "--id-key", "x.key"], ["C1", "--data", "nowhere"]]
)
def test_an_unknown_id_says_what_to_pass(call, folder, arguments):
    asked = call("data", "who", *arguments)
    assert asked.code == 2 and "--" in asked.err and "Doe" not in asked.err


@pytest.mark.parametrize("output", ["set/out", "set", "link/new/out"])
def test_an_output_inside_the_data_set_is_refused_before_any_work(call, folder, output):
    (folder.parent / "link").symlink_to(folder)
    asked = call("data", "check", "set", "--output", output)
    assert asked.code == 2 and "outside the data set" in asked.err
    assert not (folder / ".vesselkit").exists()


def test_rules_are_saved_and_then_taken_by_every_command(call, folder, tmp_path, caplog):
    rule = r"Doe_(?P<patient>\d)_(?P<frame>\d)"
    checked = call("data", "check", "set", "--group-by", rule, "--ids", "keep")
    following = (
        f"next: vesselkit predict --model MODEL --data set --ids keep --group-by {shlex.quote(rule)} --output RUN"
    )
    assert checked.code == 0 and checked.out.splitlines()[-1] == following
    assert not (folder / "dataset.json").exists()
    saved = call("data", "check", "set", "--group-by", rule, "--ids", "keep", "--save")
    assert (
        saved.code == 0 and f"rules saved in {folder / 'dataset.json'}: layout paired, ids keep, group_by" in saved.out
    )
    checked = call("data", "check", "set")
    assert "rules kept with the data (dataset.json): layout paired, ids keep, group_by" in checked.out
    assert "1 patient," in checked.out
    tried = call("data", "check", "set", "--group-by", "(?P<patient>[12])[.]png")
    assert "taken in place of what is saved: group_by" in tried.out and "2 patients" in tried.out
    refused = call("predict", "--model", "frangi", "--data", "set", "--output", "run", "--ids", "pseudonym")
    assert refused.code == 3 and "--ids pseudonym" in refused.err and "dataset.json" in refused.err
    assert not (tmp_path / "run").exists()
    caplog.clear()
    passed = call("predict", "--model", "frangi", "--data", "set", "--output", "run", "--ids", "keep")
    assert passed.code == 0 and [text for text in caplog.messages if text.startswith("rules kept with the data")]
    assert "Doe_(" not in caplog.text


def test_what_other_commands_have_no_options_for_is_to_be_saved(call, folder):
    tried = call("data", "check", "set", "--vessel", "255", "--rescale")
    assert tried.code == 0
    assert tried.out.splitlines()[-1] == "next: vesselkit data check set --rescale --vessel 255 --save"
    assert "next: vesselkit predict" in call("data", "check", "set", "--vessel", "255", "--save").out


def test_what_was_found_is_saved_without_any_option(call, folder):
    saved = call("data", "check", "set", "--save")
    assert saved.code == 0 and f"rules saved in {folder / 'dataset.json'}: layout paired" in saved.out
    assert json.loads((folder / "dataset.json").read_text())["layout"] == "paired"
    again = call("data", "check", "set", "--save")
    assert again.code == 0 and "rules kept with the data (dataset.json): layout paired" in again.out


def test_plain_images_are_not_saved_as_frames_so_that_masks_may_come_later(call, folder, tmp_path):
    (folder / "masks").rename(tmp_path / "masks")
    saved = call("data", "check", "set", "--save")
    assert saved.code == 0 and "no rules saved" in saved.out and not (folder / "dataset.json").exists()
    (tmp_path / "masks").rename(folder / "masks")
    assert "layout paired" in call("data", "check", "set").out


def test_a_value_that_is_vessel_and_ignored_is_refused(call, folder):
    checked = call("data", "check", "set", "--vessel", "1", "--ignore", "1")
    assert checked.code == 2 and "'1'" in checked.err and not (folder / "dataset.json").exists()


def test_the_depth_of_16_bit_frames_is_shown_and_kept(call, tmp_path):
    def draw(name, top):
        Image.fromarray(np.linspace(0, top, 64).reshape(8, 8).astype(np.uint16)).save(tmp_path / "deep" / name)

    (tmp_path / "deep").mkdir()
    draw("a.png", 700)
    draw("b.png", 3000)
    shown = "2 images of more than 8 bits read as 12 bits, 0 to 4095: the largest value of all is 3000"
    checked = call("data", "check", "deep")
    assert checked.out.count(shown) == 1 and shown not in checked.err  # once
    assert not (tmp_path / "deep" / "dataset.json").exists()
    assert "bits 12" in call("data", "check", "deep", "--save").out
    assert json.loads((tmp_path / "deep" / "dataset.json").read_text())["bits"] == 12
    draw("c.png", 5000)
    checked = call("data", "check", "deep")
    assert checked.code == 1 and "read as 12 bits" in checked.out and "up to 5000" in checked.out
    checked = call("data", "check", "deep", "--bits", "14", "--save")
    assert checked.code == 0, checked.out
    assert "read as 14 bits, 0 to 16383: by the rules of the data set" in call("data", "check", "deep").out


def test_a_prediction_of_empty_masks_is_warned_of_in_the_last_line(call, tmp_path):
    (tmp_path / "dark").mkdir()
    for number in (1, 2):
        Image.new("L", (64, 64), number).save(tmp_path / "dark" / f"{number}.png")
    ended = call("predict", "--model", "frangi", "--data", "dark", "--output", "run")
    assert ended.code == 0 and ended.out.splitlines()[-1].startswith("WARNING: all masks are empty (2)")


def test_a_split_is_kept_and_the_next_command_takes_a_part_of_it(call, folder):
    done = call("data", "split", "set", "--folds", "2", "--group-by", r"Doe_(?P<sequence>\d)_(?P<patient>\d)")
    assert done.code == 0, done.err
    assert "fold1: 1 patient, 1 frame\nfold2: 1 patient, 1 frame\nseed 0; strata: none: 2 patients, fewer" in done.out
    kept = json.loads((folder / "dataset.json").read_text())
    assert set(kept["split"]["parts"]) == {"fold1", "fold2"} and kept["group_by"].startswith("Doe_")
    assert done.out.splitlines()[-1].startswith("next: vesselkit predict --model MODEL --data set ")
    assert "--split fold2" in done.out and "Doe" not in done.out.split("next:")[0]
    assert call("data", "split", "set", "--train", "50", "--test", "50").code == 3
    assert call("data", "split", "set", "--folds", "9").code == 3


def test_who_answers_for_a_file_too(call, tmp_path):
    (tmp_path / "set").mkdir()
    for number in (1, 2):
        Image.new("L", (8, 8), number).save(tmp_path / f"set/Doe_{number}.png")
    case_id = open_dataset(tmp_path / "set").cases[0].case_id
    path = call("data", "who", case_id, "--data", "set").out.strip()
    assert call("data", "who", path.rpartition("/")[2], "--data", "set").out == f"{case_id}\n"
    ended = call("data", "who", "Nobody", "--data", "set")
    assert ended.code == 2 and "Nobody: expected a case of" in ended.err
