"""One pass against token by token on 200 pairs of a frame and a prompt, drafts accepted and rejected among them."""

import numpy as np
import pytest
import torch

from helpers.dev.measure.one_pass import compare, least_overlap
from helpers.prediction.engine.model_loading import load_model
from tests.support.golden_cases import IMAGE_CASES, convert_golden, load_case

PROMPTS = (
    "Please segment the blood vessels.", "Please segment the blood vessels in this image.", "blood vessel",
    "Show the background, then the blood vessels.", "What is in this image?", "Segment the main vessel.",
    "Where is the stenosis?", "Show the catheter.", "How are you?", "vessels", "Segment.", "Show.", "What?",
    "background", "the left anterior descending artery", "every branch", "Please.", "contrast agent", "region1",
    "Where?",
)  # fmt: skip


@pytest.mark.endurance
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_ids_are_those_token_by_token(fixture_folder, drawn_images, dtype):
    found = compare(*load_model(fixture_folder, "cpu", dtype), drawn_images, PROMPTS)
    assert found.pairs == found.equal == 200
    assert found.offered == 180 and found.accepted > 100
    assert found.spoilt_accepted == 0  # all 200 of them went on from the difference


def test_masks_of_batches_are_those_of_single_frames(fixture_folder, drawn_images):
    assert least_overlap(*load_model(fixture_folder, "cpu", "bfloat16"), drawn_images[:2], 2) >= 0.995


@pytest.fixture(scope="module")
def golden_model(shared, tmp_path_factory):
    folder = convert_golden(shared, tmp_path_factory.mktemp("golden") / "model")
    return load_model(folder, "cpu", "float32")


# Of each kind one: two masks, regions, words before, words alone.
KINDS = ("img_b_seg2", "img_b_vp", "img_a_past", "text_only")


@pytest.mark.golden
@pytest.mark.parametrize(
    "name", [name if name in KINDS else pytest.param(name, marks=pytest.mark.endurance) for name in IMAGE_CASES]
)
def test_one_pass_gives_the_recorded_ids_and_masks(shared, golden_model, monkeypatch, name):
    model, tokenizer = golden_model
    case = load_case(shared, name)
    recorded = case.arrays["generated_ids"].tolist()
    middle = len(recorded) // 2
    spoilt = [*recorded[:middle], recorded[middle] + 1, *recorded[middle + 1 :]]
    answers = model.answers
    for draft, drafted in ((recorded, True), (spoilt, False)):
        with monkeypatch.context() as patch, torch.inference_mode():
            patch.setattr(
                model,
                "answers",
                lambda prompts, words, limit, _, draft=draft: answers(prompts, words, limit, [draft]),
            )
            found = model.predict(**case.call(), tokenizer=tokenizer)
        assert found.answer.token_ids == recorded and found.answer.drafted is drafted
        for index, logits in enumerate(found.logits.numpy()):
            assert np.array_equal(logits[None] > 0, case.mask(index))
