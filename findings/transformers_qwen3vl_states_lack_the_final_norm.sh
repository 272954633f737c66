#!/bin/bash
# Expected: the last entry of `hidden_states` is what the head reads, so that `lm_head(hidden_states[-1])` gives the logits: for
#           every family and in every release.
# Happens:  for Qwen3-VL under transformers 4.57 it is the output of the last layer before the final norm, while Qwen2.5-VL of
#           the same release gives the state after it. Under 5.23 both give it after the norm. The logits come
#           from the normalised state in both releases, so that the text does not tell.
# Versions: transformers 4.57.6 and 5.23.0, torch 2.13.0; Linux, Python 3.11.
# Matters:  models that turn a hidden state into a mask, a box or a score were trained on what 4.57 gave. After an upgrade, or with
#           a port to another program, the answers stay right and every mask is wrong, with no message.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/states.py" <<'PY'
import torch
import transformers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen3VLConfig, Qwen3VLForConditionalGeneration

transformers.logging.set_verbosity_error()
later = int(transformers.__version__.split(".")[0]) >= 5
rope = {"rope_type": "default", "mrope_section": [2, 1, 1]}
text = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
text |= {"num_key_value_heads": 2, "head_dim": 8}
text |= {"rope_parameters": rope | {"rope_theta": 1e4}} if later else {"rope_scaling": rope, "rope_theta": 1e4}
vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4, "out_hidden_size": 32}
models = {
    "Qwen2.5-VL": (Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLConfig(text_config=text, vision_config=vision)),
    "Qwen3-VL": (Qwen3VLForConditionalGeneration, Qwen3VLConfig(text_config=text, vision_config=vision)),
}
for name, (cls, config) in models.items():
    torch.manual_seed(0)
    model = cls(config).eval()
    model.model.language_model.norm.weight.data.fill_(3.0)  # a norm that shows
    with torch.no_grad():
        output = model(input_ids=torch.arange(1, 9)[None], output_hidden_states=True)
        same = torch.allclose(model.lm_head(output.hidden_states[-1]), output.logits, atol=1e-5)
    print(f"transformers {transformers.__version__}, {name}: lm_head(hidden_states[-1]) gives the logits: {same}")
PY
for version in 4.57.6 5.23.0; do
  "${PYTHON:-python3.11}" -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet torch==2.13.0 "transformers==$version" numpy==2.4.6
  HF_HUB_OFFLINE=1 "$folder/$version/bin/python" "$folder/states.py" 2> "$folder/errors" | tee -a "$folder/seen" || { cat "$folder/errors"; exit 1; }
done
diff - "$folder/seen" <<'EXPECTED'
transformers 4.57.6, Qwen2.5-VL: lm_head(hidden_states[-1]) gives the logits: True
transformers 4.57.6, Qwen3-VL: lm_head(hidden_states[-1]) gives the logits: False
transformers 5.23.0, Qwen2.5-VL: lm_head(hidden_states[-1]) gives the logits: True
transformers 5.23.0, Qwen3-VL: lm_head(hidden_states[-1]) gives the logits: True
EXPECTED
echo "as seen before"
