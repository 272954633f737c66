"""Run golden or recorded calls on exported folders with nothing of this kit installed.

Called as a script by the tests, in environments that hold only torch, transformers, safetensors, pillow and numpy:
`python bare_environment.py JOBS.json OUTPUT`. JOBS is a list of {name, folder, dtype, calls, texts}: `dtype` null loads
as the folder says, `calls` are {name, image, video, text, past_text, regions}, `texts` are encoded by the slow and the
fast tokenizer where transformers has both. OUTPUT gets a NAME.npz for each job.
"""

import json
import sys

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoModel, AutoTokenizer


def main(jobs_file: str, output: str) -> None:
    with open(jobs_file, encoding="utf-8") as file:
        jobs = json.load(file)
    for job in jobs:
        facts, arrays = done(**job)
        np.savez(f"{output}/{job['name']}.npz", facts=json.dumps(facts), **arrays)


def done(name: str, folder: str, dtype: str | None, calls: list[dict], texts: list[str]):
    """(facts, logits by name) of a job."""
    given = {} if dtype is None else {"dtype": getattr(torch, dtype)}
    model = AutoModel.from_pretrained(folder, trust_remote_code=True, **given).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    arrays, answers = {}, {}
    for call in calls:
        regions = None
        if call["regions"]:
            shape, rows, columns = call["regions"]
            region = np.zeros(shape, dtype=np.float32)
            region[:, rows[0] : rows[1], columns[0] : columns[1]] = 1
            regions = [region]
        result = model.predict_forward(
            image=Image.open(call["image"]) if call["image"] else None,
            video=[Image.open(name) for name in call["video"]] if call.get("video") else None,
            text=call["text"],
            past_text=call["past_text"],
            mask_prompts=regions,
            tokenizer=tokenizer,
        )
        answers[call["name"]] = result["prediction"]
        for index, logits in enumerate(result["prediction_logits"]):
            arrays[f"{call['name']}/{index}"] = logits
    text_config = model.config.text_config
    facts = {
        "transformers": transformers.__version__,
        "dtype": str(next(model.parameters()).dtype),
        "texts": answers,
        "ids": [tokenizer.encode(call["past_text"] + call["text"]) for call in calls],
        "slow_and_fast": [slow_and_fast(folder, text) for text in texts],
        "rope": {
            "theta": float(text_config.rope_parameters["rope_theta"])
            if isinstance(getattr(text_config, "rope_parameters", None), dict)
            else float(text_config.rope_theta),
            "inverse_frequencies": model.language_model.model.rotary_emb.inv_freq.tolist(),
            "type": model.language_model.model.rotary_emb.rope_type,
        },
        "modules": sorted({name.split(".")[0] for name in sys.modules}),
    }
    return facts, arrays


def slow_and_fast(folder: str, text: str) -> list:
    """[whether it is fast, ids] of the tokenizer that is asked to be slow, then of the fast one."""
    both = (AutoTokenizer.from_pretrained(folder, use_fast=fast) for fast in (False, True))
    return [[one.is_fast, one.encode(text)] for one in both]


if __name__ == "__main__":
    main(*sys.argv[1:])
