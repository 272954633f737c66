"""Recorded outputs of a converted demo model: what tests compare with."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoModel, AutoTokenizer

from tests.support.fixture_maker.conversation import QUESTION, SEGMENT, SEGMENT_PARTS, TEXT_ONLY, Turn

ARRAYS, FACTS = "recorded.npz", "recorded.json"
STRIDE = 4  # of the recorded logits, in pixels


@dataclass(frozen=True)
class Case:
    """One recorded call: a turn's first prompt about one of the folder's images, None for a text-only call."""

    name: str
    turn: Turn
    image: str | None


CASES = (
    Case("segment_one_tile", SEGMENT, "image_01.png"),
    Case("segment_three_tiles", SEGMENT, "image_02.png"),
    Case("segment_parts_seven_tiles", SEGMENT_PARTS, "image_03.png"),
    Case("question", QUESTION, "image_04.png"),
    Case("text_only", TEXT_ONLY, None),
)


@torch.inference_mode()
def record_outputs(model_folder: Path, images: Path, target: Path) -> None:
    """Run all cases in float32 on the CPU and write `recorded.npz` and `recorded.json` to the folder `target`.

    The arrays are, for each case and `[SEG]` n: `<case>/mask_<n>`, the bits of the (H, W) mask, packed; and
    `<case>/logits_<n>`, float32, every `STRIDE`-th row and column. The facts of a case are its image, prompt, answer,
    ids of the answer, whether it was cut, and the image's size.
    """
    model = AutoModel.from_pretrained(model_folder, trust_remote_code=True, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(model_folder, trust_remote_code=True)
    arrays, facts = {}, {}
    for case in CASES:
        image = Image.open(images / case.image) if case.image else None
        prompt = case.turn.prompts[0]
        found = model.predict(image, prompt, tokenizer=tokenizer)
        facts[case.name] = {
            "image": case.image,
            "prompt": prompt,
            "text": found.text,
            "token_ids": found.answer.token_ids,
            "masks": len(found.logits),
            "height": image.height if image else None,
            "width": image.width if image else None,
        }
        for index, logits in enumerate(found.logits.numpy()):
            arrays[f"{case.name}/mask_{index}"] = np.packbits(logits > 0)
            arrays[f"{case.name}/logits_{index}"] = logits[::STRIDE, ::STRIDE].astype(np.float32)
    np.savez_compressed(target / ARRAYS, **arrays)
    values = {"stride": STRIDE, "dtype": "float32", "device": "cpu", "cases": facts}
    (target / FACTS).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
