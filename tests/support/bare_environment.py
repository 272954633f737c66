"""Run golden or recorded calls on an exported folder with nothing of this kit installed.

Called as a script by the tests, in environments that hold only torch, transformers, safetensors, pillow and numpy:
`python bare_environment.py FOLDER CALLS.json OUT.npz`. CALLS is a list of
{name, image, video, text, past_text, regions}.
"""

import json
import sys

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoModel, AutoTokenizer


def main(folder: str, calls_file: str, out_file: str) -> None:
    model = AutoModel.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with open(calls_file, encoding="utf-8") as file:
        calls = json.load(file)
    arrays = {}
    texts = {}
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
        texts[call["name"]] = result["prediction"]
        for index, logits in enumerate(result["prediction_logits"]):
            arrays[f"{call['name']}/{index}"] = logits
    text_config = model.config.text_config
    facts = {
        "transformers": transformers.__version__,
        "texts": texts,
        "ids": [tokenizer.encode(call["past_text"] + call["text"]) for call in calls],
        "rope": {
            "theta": float(text_config.rope_parameters["rope_theta"])
            if isinstance(getattr(text_config, "rope_parameters", None), dict)
            else float(text_config.rope_theta),
            "inverse_frequencies": model.language_model.model.rotary_emb.inv_freq.tolist(),
            "type": model.language_model.model.rotary_emb.rope_type,
        },
        "modules": sorted({name.split(".")[0] for name in sys.modules}),
    }
    np.savez(out_file, facts=json.dumps(facts), **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
