"""Every command of the kit: the one list that help and docs/cli.md come from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        name: one or two words, as typed after `vesselkit`.
        summary: one line.
        usage: the whole call, options included.
    """

    name: str
    summary: str
    usage: str


COMMANDS = (
    Command(
        "inspect",
        "Say what a checkpoint or training folder holds.",
        "vesselkit inspect CKPT [--json]",
    ),
    Command(
        "convert",
        "Turn a checkpoint into a HuggingFace folder, every tensor accounted for.",
        "vesselkit convert --checkpoint CKPT --output DIR [--base DIR] [--sam2 FILE] [--sam2-config PRESET_OR_JSON]"
        " [--train-config CFG.py] [--lora-alpha A] [--template NAME] [--pretrained FILE_OR_DIR] [--id-key FILE]"
        " [--dtype bfloat16|float16|float32]",
    ),
    Command(
        "verify",
        "Redo the accounting of a converted folder against its sources.",
        "vesselkit verify DIR --checkpoint CKPT [--base DIR] [--sam2 FILE] [--train-config CFG.py]"
        " [--pretrained FILE_OR_DIR]",
    ),
    Command(
        "data check",
        "Audit a data set before anything runs on it.",
        "vesselkit data check DATASET [--layout NAME] [--json] [--output DIR] [--group-by RULE] [--ids keep|pseudonym]"
        " [--id-key FILE] [--rescale] [--rescale-from WxH] [--values mask|probability] [--vessel VALUE ...]"
        " [--ignore VALUE ...] [--bits N] [--save]",
    ),
    Command(
        "who",
        "Give the original path of a case id, on the machine that holds the map.",
        "vesselkit who ID [--data DATASET] [--id-key FILE]",
    ),
    Command(
        "predict",
        "Run a model over a data set: text, logits and masks, resumable.",
        "vesselkit predict --data DATASET --output RUN [--model DIR|frangi] [--model-config FILE] [--checkpoint CKPT]"
        " [--base DIR] [--sam2 FILE] [--sam2-config PRESET_OR_JSON] [--train-config CFG.py] [--lora-alpha A]"
        " [--template NAME] [--pretrained FILE_OR_DIR] [--prompt TEXT ...]"
        " [--mode frame|track|track-both|fused] [--batch-size auto]"
        " [--device auto] [--dtype auto] [--quantize int8|nf4] [--cuda-graphs] [--threshold 0.5]"
        " [--combine union|first|best] [--limit N] [--case-list FILE] [--shard I/N] [--layout NAME]"
        " [--ids keep|pseudonym] [--id-key FILE] [--group-by RULE] [--split NAME] [--max-new-tokens 64]"
        " [--launcher none|pytorch|slurm]",
    ),
    Command(
        "import-masks",
        "Turn a folder of masks from elsewhere into a run folder.",
        "vesselkit import-masks DIR --name NAME --data DATASET --output RUN [--values mask|probability|logit]"
        " [--threshold 0.5] [--split NAME] [--layout NAME] [--ids keep|pseudonym] [--id-key FILE] [--group-by RULE]",
    ),
    Command(
        "tune",
        "Choose a baseline's parameters on a development split.",
        "vesselkit tune BASELINE --data DATASET --output FILE [--split NAME] [--layout NAME] [--ids keep|pseudonym]"
        " [--id-key FILE] [--group-by RULE] [--processes 2]"
        " [--rescale] [--rescale-from WxH]",
    ),
    Command(
        "evaluate",
        "Score runs against ground truth, with intervals and paired comparison.",
        "vesselkit evaluate --predictions RUN --data DATASET --output DIR [--against RUN2 ...] [--name NAME ...]"
        " [--prompt ID] [--training FILE] [--exclude-training] [--development DIR] [--close-gaps 0] [--remove-small 0]"
        " [--rescale] [--rescale-from WxH] [--split NAME] [--layout NAME] [--ids keep|pseudonym]"
        " [--id-key FILE] [--group-by RULE] [--processes 2]",
    ),
    Command(
        "refseg",
        "Score referring segmentation in the RefCOCO way.",
        "vesselkit refseg --model_path DIR --data_path DATASET --output_dir DIR [--prompt TEXT] [--split NAME]"
        " [--layout NAME] [--ids keep|pseudonym] [--id-key FILE] [--group-by RULE] [--device auto] [--dtype auto]"
        " [--max-new-tokens 64]"
        " [--rescale] [--rescale-from WxH]",
    ),
    Command(
        "gate",
        "Fail where scores fell below a recorded baseline.",
        "vesselkit gate --baseline FILE --metrics DIR [--update] [--case-tolerance 0.1] [--mean-tolerance 0.01]",
    ),
    Command(
        "visualize",
        "Write the 4-panel pictures of a run, of ground truth alone, or films of sequences.",
        "vesselkit visualize RUN --data DATASET --output DIR [--n 5] [--cases ID ...] [--sort worst|best|natural]"
        " [--films] [--against RUN2 ...] [--sequences ID ...] [--rate 10] [--mask contour|fill] [--dpi 100]"
        " [--metrics DIR] [--prompt ID] [--layout NAME] [--ids keep|pseudonym] [--id-key FILE] [--group-by RULE]"
        " [--split NAME]"
        " [--rescale] [--rescale-from WxH]",
    ),
    Command(
        "review",
        "Take over, count and export the verdicts of a review.",
        "vesselkit review RUN --data DATASET --verdicts DIR [--import FILE ...] [--export DIR] [--against RUN2]"
        " [--metrics DIR] [--prompt ID] [--layout NAME] [--ids keep|pseudonym] [--id-key FILE] [--group-by RULE]"
        " [--split NAME]"
        " [--rescale] [--rescale-from WxH]",
    ),
    Command(
        "report",
        "Write a run's review as one HTML file that needs no server.",
        "vesselkit report RUN --data DATASET [--output review.html] [--metrics DIR] [--against RUN2]"
        " [--beside RUN3 ...] [--prompt ID]"
        " [--cases ID ...] [--verdicts DIR] [--layout NAME] [--ids keep|pseudonym] [--id-key FILE] [--group-by RULE]"
        " [--split NAME]"
        " [--rescale] [--rescale-from WxH]",
    ),
    Command(
        "run",
        "Run notebooks over a grid of models, prompts and data sets.",
        "vesselkit run BATCH",
    ),
    Command(
        "pipeline",
        "Go from a checkpoint to a report in one command.",
        "vesselkit pipeline --checkpoint CKPT --data DATASET --output DIR [--base DIR] [--sam2 FILE]"
        " [--sam2-config PRESET_OR_JSON] [--train-config CFG.py] [--lora-alpha A] [--template NAME]"
        " [--pretrained FILE_OR_DIR] [--prompt TEXT ...] [--baseline FILE] [--training FILE] [--exclude-training]"
        " [--device auto] [--dtype auto] [--limit N] [--split NAME] [--layout NAME] [--ids keep|pseudonym]"
        " [--id-key FILE] [--group-by RULE] [--rescale-from WxH]",
    ),
    Command(
        "synth",
        "Draw synthetic angiograms with exact masks.",
        "vesselkit synth --patients N --output DIR [--seed 0] [--frames 8] [--sequences 2]"
        " [--layout paired|sa2va|coco|labelme] [--size 512] [--processes 2]",
    ),
    Command(
        "train",
        "Train the demo model again from its recorded recipe.",
        "vesselkit train --output DIR [--seed 0] [--workers 4] [--processes 1]",
    ),
    Command(
        "bench predict",
        "Measure the throughput of prediction, files to files.",
        "vesselkit bench predict --model DIR --data DATASET [--n N] [--rounds N] [--batch-size auto] [--device auto]"
        " [--dtype auto] [--quantize int8|nf4] [--output FILE]",
    ),
    Command(
        "bench model",
        "Measure latency, throughput and memory of a model of a given size.",
        "vesselkit bench model [--preset 1b|2b|4b|8b|demo] [--side 512 ...] [--batch-sizes LIST] [--n N] [--files 0]"
        " [--device auto] [--dtype auto] [--quantize int8|nf4] [--memory-cap GIB]"
        " [--no-cuda-graphs] [--output DIR]",
    ),
    Command(
        "check-precision",
        "Compare reduced precision with full precision on your model and images.",
        "vesselkit check-precision --model DIR --data DATASET [--n 8] [--prompt TEXT] [--device auto] [--output FILE]"
        " [--layout NAME] [--ids keep|pseudonym] [--id-key FILE] [--group-by RULE] [--split NAME]",
    ),
    Command(
        "doctor",
        "Say what this machine has, and what is missing.",
        "vesselkit doctor [--json]",
    ),
)


def command(name: str) -> Command:
    """The command of that name; KeyError where there is none."""
    return {found.name: found for found in COMMANDS}[name]


def available_names() -> tuple[str, ...]:
    """Names of the commands, in the kit's order."""
    return tuple(found.name for found in COMMANDS)
