"""A checkpoint becomes a model folder, and the names of its training images are kept on this machine.

It lies above `evaluation`, whose `leakage` keeps those names: by them an evaluation knows TRAINING patients unasked.
"""

import logging
import os

from helpers.checkpoints.convert import ConversionRecord, ConversionRequest
from helpers.checkpoints.convert import convert as run_conversion
from helpers.checkpoints.convert.pretrained import NOTHING
from helpers.core.given_values import input_path, optional_input_path, output_folder, typed_path
from helpers.data.ids.id_key import key_at
from helpers.evaluation.leakage.keeping import keep_names_of_export

_log = logging.getLogger(__name__)


def convert(
    checkpoint: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] | None = None,
    sam2: str | os.PathLike[str] | None = None,
    sam2_config: str | None = None,
    train_config: str | os.PathLike[str] | None = None,
    lora_alpha: float | None = None,
    template: str | None = None,
    pretrained: str | os.PathLike[str] | None = None,
    id_key: str | os.PathLike[str] | None = None,
    dtype: str = "bfloat16",
) -> ConversionRecord:
    """Convert a training checkpoint to a HuggingFace model folder, as `vesselkit convert` does.

    Every tensor is accounted for; nothing of the checkpoint is executed. None leaves a setting to the sources.

    Args:
        checkpoint: mmengine or flat `.pth`, an export of the official converter, or a folder of this kit.
        output: folder to write; it must not exist.
        base: the InternVL folder, or a Sa2VA folder, that the training run started from.
        sam2: the SAM 2.0 file that it started from.
        sam2_config: `hiera_t`, `hiera_s`, `hiera_b+`, `hiera_l`, or a JSON file of sizes.
        train_config: the run's config file; read, never executed.
        lora_alpha: LoRA alpha, in place of the config's.
        template: chat template, in place of the config's.
        pretrained: a Sa2VA that the run loaded over `base`; `none` where it loaded none.
        id_key: key of the hashes of training images' names; None for a key of this machine.
        dtype: `bfloat16`, `float16` or `float32`, of every tensor.

    Returns:
        The conversion's record; `summary()` of it is for people.

    Raises:
        UsageProblem: for parameters that cannot work together, or a setting that no source names.
        RefusedInput: for files that are refused, sources that disagree, and a folder that cannot be written.

    Example:
        >>> import vesselkit
        >>> record = vesselkit.convert(
        ...     "iter_250.pth", "my-model", base="internvl_base", sam2="sam2_base.pt", sam2_config="sam2_sizes.json"
        ... )
        >>> record.values["settings"]["template"]["value"]
        'qwen_chat'
    """
    folder = output_folder(output, "output")
    request = ConversionRequest(
        checkpoint=input_path(checkpoint, "checkpoint"),
        output=folder,
        base=optional_input_path(base, "base"),
        sam2=optional_input_path(sam2, "sam2"),
        sam2_config=_preset_or_file(sam2_config),
        train_config=optional_input_path(train_config, "train_config"),
        lora_alpha=lora_alpha,
        template=template,
        dtype=dtype,
        pretrained=pretrained if pretrained == NOTHING else optional_input_path(pretrained, "pretrained"),
    )
    key_file = None if id_key is None else typed_path(id_key)
    if key_file is not None:
        key_at(key_file)  # one that cannot be read or made is told before the work
    record = run_conversion(request)
    _log.info("%s", keep_names_of_export(folder, request.checkpoint, request.train_config, key_file).text)
    return record


def _preset_or_file(given: str | None) -> str | None:
    """A preset's name as it is; the name of a JSON file as a path."""
    if given is None or not given.endswith(".json"):
        return given
    return str(input_path(given, "sam2_config"))
