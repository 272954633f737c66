"""What more precision takes, in the words of a summary."""

from helpers.evaluation.headline import centres_text
from helpers.evaluation.patients_needed import needed_record, needed_text
from tests.support.score_tables import of_patients


def text(table):
    return needed_text({"runs": [{"precision": needed_record(table)}]})


def test_ten_patients_say_how_many_a_narrower_interval_needs():
    record = needed_record(of_patients([7, 9] * 5, 1))
    assert (record["metric"], record["patients"], len(record["needs"])) == ("dice", 10, 2)
    first, second = record["needs"]
    assert text(of_patients([7, 9] * 5, 1)) == (
        f"Dice ±0.02 needs about {first['patients']} patients like these (80 % sure: up to {first['up_to']}; from a "
        f"pilot of 10). Dice ±0.05 needs about {second['patients']} patients like these (80 % sure: up to "
        f"{second['up_to']}; from a pilot of 10)."
    )
    # Dice of 7 and 9 pixels of 10: 14 / 17 and 18 / 19, so s = 0.0653 and n = 44.
    assert (first["patients"], second["patients"]) == (44, 10)


def test_too_few_or_unknown_patients_are_said():
    told = "How many patients a narrower interval needs is told from 10 patients on; "
    assert text(of_patients([7] * 9, 1)) == told + "these are 9."
    assert text(of_patients([7] * 12, 1).assign(patient=None)) == told + "patients are unknown."
    assert text(of_patients([7] * 12, 1)).endswith("needs is not told by 12 that are all equal.")
    assert needed_text({"runs": [{}]}) == ""


def test_centres_stand_beside_the_numbers():
    assert centres_text({"centres": None}) == ["one centre"] and centres_text({}) == []
    assert centres_text({"centres": {"column": "centre", "number": 3}}) == ["3 centres"]
    assert centres_text({"centres": {"column": "centre", "number": 1}}) == ["one centre"]
    assert centres_text({"centres": {"column": "centre", "number": None}}) == ["centres unknown"]
