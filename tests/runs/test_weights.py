"""Which runs are of the same weights."""

from helpers.runs.weights import weights_of


def test_a_model_is_its_tensors_whatever_was_asked_of_it():
    assert weights_of({"tensors_sha256": "t", "files_sha256": "f", "folder_name": "a"}) == "t"
    assert weights_of({"tensors_sha256": None, "files_sha256": "f"}) == "f"


def test_imported_masks_are_their_own_weights():
    assert weights_of({"kind": "imported", "name": "nnunet", "masks_sha256": "m"}) == "m"


def test_a_method_without_weights_is_its_settings():
    first = {"kind": "vesselness", "ridge": "frangi", "threshold": 0.5, "tuned_on": None}
    assert weights_of(first) == weights_of({**first, "tuned_on": {"cases": ["a"]}})
    assert weights_of(first) != weights_of({**first, "threshold": 0.6}) and len(weights_of(first)) == 64


def test_a_run_that_does_not_say_has_none():
    assert weights_of(None) is None and weights_of({}) is None
