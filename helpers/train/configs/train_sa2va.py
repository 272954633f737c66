"""Fine-tune Sa2VA on a data set with mmengine's Runner, see docs/training.md. Set what is None with --cfg-options."""

custom_imports = {"imports": ["helpers.train.fine_tuning"], "allow_failed_imports": False}
runner_type = "vesselkit.TrainingRunner"

max_iters = 3000
batch_size = 4
learning_rate = 4e-5
warm_up = 100

model = {
    "type": "vesselkit.Sa2VAForTraining",
    "mllm": {
        "model_path": None,  # folder of InternVL3
        "llm_lora": {"r": 128, "lora_alpha": 256, "lora_dropout": 0.05},
    },
    "grounding_encoder": {"ckpt_path": None, "cfg_path": "hiera_l"},  # sam2_hiera_large.pt
    "template": "qwen_chat",
    "special_tokens": ["[SEG]", "<p>", "</p>", "<vp>", "</vp>"],
    "pretrained_pth": None,  # a Sa2VA to go on from, such as Sa2VA-8B
    "trained": "lora",
    "loss_mask": {"loss_weight": 2.0},
    "loss_dice": {"loss_weight": 0.5},
    # Of centrelines and outlines, see docs/training.md: what makes vessels connected also bridges occlusions.
    "loss_centreline": {"loss_weight": 0.0},
    "loss_cldice": {"loss_weight": 0.0},
    "loss_boundary": {"loss_weight": 0.0},
    "points": 12544,
    "amp": None,
    "activation_checkpointing": False,
}
model_wrapper_cfg = {"type": "vesselkit.SharedGradients"}

train_dataloader = {
    "dataset": {
        "type": "vesselkit.SegmentationSamples",
        "data": None,  # beside it: layout, ids, id_key, group_by, split, rescale, rescale_from, limit
        "mask_side": 256,
        "transforms": [{"type": "vesselkit.AngiogramChanges"}],
    },
    "sampler": {"type": "vesselkit.SeededOrder"},
    "batch_size": batch_size,
    "num_workers": 4,
    "drop_last": True,
    "pin_memory": True,
}
train_cfg = {"type": "vesselkit.ResumableLoop", "max_iters": max_iters}
optim_wrapper = {
    "type": "OptimWrapper",
    "optimizer": {"type": "AdamW", "lr": learning_rate, "betas": (0.9, 0.999), "weight_decay": 0.05},
    "clip_grad": {"max_norm": 1.0},
}
param_scheduler = [
    {"type": "LinearLR", "start_factor": 0.01, "by_epoch": False, "begin": 0, "end": warm_up},
    {"type": "CosineAnnealingLR", "eta_min": 0.0, "by_epoch": False, "begin": warm_up, "end": max_iters},
]

default_hooks = {
    "checkpoint": {"type": "vesselkit.TimedCheckpointHook", "interval": 500, "seconds": 120, "max_keep_ckpts": 2},
    "logger": {"type": "LoggerHook", "interval": 10},
}
custom_hooks = [{"type": "vesselkit.LossBarHook"}]
log_processor = {"by_epoch": False}

resume = False
load_from = None
work_dir = "outputs/training"
randomness = {"seed": 0}
# The folder of a run stays local: its checkpoints hold this config, with its paths.
log_level = "WARNING"
visualizer = {"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]}
