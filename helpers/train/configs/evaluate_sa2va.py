"""Test Sa2VA on a data set with mmengine's Runner, see docs/mmengine.md. Set what is None with --cfg-options."""

custom_imports = {"imports": ["helpers.train.test_route"], "allow_failed_imports": False}
runner_type = "vesselkit.Runner"

# A checkpoint (iter_N.pth) to compose the model from, with model.base and model.sam2; or model.model_dir.
load_from = None
model = {
    "type": "vesselkit.Sa2VAForPrediction",
    "model_dir": None,
    "base": None,
    "sam2": None,
    "sam2_config": None,
    "train_config": None,
    "lora_alpha": None,
    "template": None,
    "pretrained": None,
    "prompt": "Please segment the blood vessels.",
    "threshold": 0.5,
    "combine": "union",
    "device": "auto",
    "dtype": "auto",
    "token_limit": 64,
}
model_wrapper_cfg = {"type": "vesselkit.SeparateProcesses"}

test_dataloader = {
    "dataset": {
        "type": "vesselkit.FrameDataset",
        "data": None,  # beside it: layout, ids, id_key, group_by, split, rescale, rescale_from, limit
    },
    "sampler": {"type": "DefaultSampler", "shuffle": False},
    "batch_sampler": {"type": "vesselkit.FixedBatches"},
    "batch_size": 2,
    "num_workers": 0,
}
test_evaluator = {"type": "vesselkit.VesselMetric"}
test_cfg = {"type": "TestLoop"}

custom_hooks = [
    {"type": "vesselkit.ComposeHook"},
    {"type": "vesselkit.PanelHook", "count": 20},
    {"type": "vesselkit.ProgressHook"},
]

work_dir = "outputs/mmengine"
# The config holds paths, which may name patients: at INFO mmengine logs it, and its visualizer keeps a copy.
log_level = "WARNING"
visualizer = {"type": "Visualizer", "vis_backends": []}
