#!/bin/bash
# Expected: in a checkpoint of a training with mmengine's EMAHook, `state_dict` holds the weights that were trained, and
#           `ema_state_dict` their moving average.
# Happens:  they hold each other's: the hook swaps the two before it saves. By its default momentum of 0.0002 the average holds 2 % of
#           what 100 iterations learnt and 25 % of what 3,000 did: the file's `state_dict` is nearly the model that training began from.
# Versions: mmengine 0.10.7, torch 2.13.0, numpy 2.4.6; Linux, Python 3.11.
# Matters:  whoever converts such a file "with the averaged weights" takes those of one iteration, and whoever takes `state_dict` of a
#           short fine-tuning gets a model that has learnt next to nothing, while its losses were those of the other set.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 mmengine==0.10.7 numpy==2.4.6 setuptools==80.9.0
cat > "$folder/train.py" <<'PY'
import logging
import sys

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Slope(BaseModel):
    """One weight that begins at 0 and grows by 0.01 in each iteration."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode="tensor"):
        return {"loss": -self.weight.sum()}


for iterations in (100, 3000):
    folder = f"{sys.argv[1]}/{iterations}"
    runner = Runner(
        model=Slope(),
        work_dir=folder,
        train_dataloader={
            "dataset": [{"inputs": 0.0}] * 8,
            "sampler": {"type": "InfiniteSampler"},
            "batch_size": 1,
            "collate_fn": {"type": "default_collate"},
        },
        train_cfg={"type": "IterBasedTrainLoop", "max_iters": iterations},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 1 / iterations}},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "by_epoch": False, "interval": iterations}},
        custom_hooks=[{"type": "EMAHook"}],
        log_level=logging.ERROR,
    )
    runner.train()
    saved = torch.load(f"{folder}/iter_{iterations}.pth", weights_only=False)
    print(
        f"{iterations} iterations, trained from 0 to {runner.model.weight.item():.2f}: the file's state_dict has "
        f"{saved['state_dict']['weight'].item():.2f}, its ema_state_dict {saved['ema_state_dict']['module.weight'].item():.2f}"
    )
PY
"$folder/venv/bin/python" "$folder/train.py" "$folder/work" 2> "$folder/errors" | tee "$folder/all" || { cat "$folder/errors"; exit 1; }
grep "iterations, trained" "$folder/all" > "$folder/seen"
diff - "$folder/seen" <<'EXPECTED'
100 iterations, trained from 0 to 1.00: the file's state_dict has 0.02, its ema_state_dict 1.00
3000 iterations, trained from 0 to 1.00: the file's state_dict has 0.25, its ema_state_dict 1.00
EXPECTED
echo "as seen before"
