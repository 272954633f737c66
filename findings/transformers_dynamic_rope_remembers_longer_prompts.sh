#!/bin/bash
# Expected: a model in `eval()` is a function of its input: the same tokens give the same logits, whatever was read before.
# Happens:  with `rope_type: dynamic` (InternLM2, hence InternVL2 and 2.5, and many Llama of long contexts) the rotary frequencies grow
#           with the longest prompt so far, and shrink again only with a prompt below `max_position_embeddings`. Where that is
#           32, a prompt of 40 tokens gives other logits after one of 64, and other next tokens. After one of 16 it gives the
#           first ones again.
# Versions: transformers 4.57.6 and 5.23.0, torch 2.13.0; Linux, Python 3.11.
# Matters:  results of long prompts, several images or turns, depend on the order of the cases: a run that is resumed, split over
#           GPUs or sorted by length answers otherwise than the one in a row, with the same weights, seed and input.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/rope.py" <<'PY'
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

transformers.logging.set_verbosity_error()
rope = {"rope_type": "dynamic", "factor": 2.0}
later = int(transformers.__version__.split(".")[0]) >= 5
rope = {"rope_parameters": rope | {"rope_theta": 1e4}} if later else {"rope_scaling": rope, "rope_theta": 1e4}
sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(**sizes, **rope, max_position_embeddings=32, initializer_range=0.3)).eval()


@torch.no_grad()
def read(length):
    tokens = torch.randint(0, 64, (1, length), generator=torch.Generator().manual_seed(length))
    return model(input_ids=tokens).logits[0]


first, in_between = read(40), {"40": read(40)}
for length in (64, 16):
    read(length)
    in_between[f"40 after {length}"] = read(40)
print("transformers", transformers.__version__)
for name, logits in in_between.items():
    others = bool((logits.argmax(-1) != first.argmax(-1)).any())
    print(f"prompt of {name}: equal logits {torch.equal(logits, first)}, other next tokens {others}")
PY
for version in 4.57.6 5.23.0; do
  "${PYTHON:-python3.11}" -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet torch==2.13.0 "transformers==$version" numpy==2.4.6
  HF_HUB_OFFLINE=1 "$folder/$version/bin/python" "$folder/rope.py" 2> "$folder/errors" | tee -a "$folder/seen" || { cat "$folder/errors"; exit 1; }
done
diff - "$folder/seen" <<'EXPECTED'
transformers 4.57.6
prompt of 40: equal logits True, other next tokens False
prompt of 40 after 64: equal logits False, other next tokens True
prompt of 40 after 16: equal logits True, other next tokens False
transformers 5.23.0
prompt of 40: equal logits True, other next tokens False
prompt of 40 after 64: equal logits False, other next tokens True
prompt of 40 after 16: equal logits True, other next tokens False
EXPECTED
echo "as seen before"
