"""A checkpoint becomes a model folder, and the names of its training images are kept on this machine.

It lies above `evaluation`, whose `leakage` keeps those names: by them an evaluation knows TRAINING patients unasked.
"""

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

from helpers.checkpoints.convert import ConversionRecord, ConversionRequest
from helpers.checkpoints.convert import convert as run_conversion
from helpers.core.errors import UsageProblem
from helpers.core.given_values import (
    GivenPath,
    Spelling,
    file_or_none,
    input_path,
    optional_input_path,
    output_folder,
    preset_or_file,
    typed_path,
)
from helpers.data.ids.id_key import key_at
from helpers.evaluation.leakage.conversion_names import Kept, keep_names_of_export

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConvertRequest:
    """What a conversion is asked for, as people give it; the fields are the parameters of `convert`.

    Attributes:
        spell: how the caller writes the name of a parameter, for messages.
    """

    checkpoint: GivenPath
    output: GivenPath
    base: GivenPath | None = None
    sam2: GivenPath | None = None
    sam2_config: str | None = None
    train_config: GivenPath | None = None
    lora_alpha: float | None = None
    template: str | None = None
    pretrained: GivenPath | None = None
    id_key: GivenPath | None = None
    dtype: str = "bfloat16"
    spell: Spelling = field(default=str, repr=False)

    def run(self) -> "Converted":
        """Convert. Raises as `convert`."""
        spell = self.spell
        request = ConversionRequest(
            checkpoint=input_path(self.checkpoint, spell("checkpoint")),
            output=output_folder(self.output, spell("output")),
            base=optional_input_path(self.base, spell("base")),
            sam2=optional_input_path(self.sam2, spell("sam2")),
            sam2_config=preset_or_file(self.sam2_config, spell("sam2_config")),
            train_config=optional_input_path(self.train_config, spell("train_config")),
            lora_alpha=self.lora_alpha,
            template=self.template,
            dtype=self.dtype,
            pretrained=file_or_none(self.pretrained, spell("pretrained")),
        )
        return convert_checked(request, None if self.id_key is None else typed_path(self.id_key))


@dataclass(frozen=True)
class Converted:
    """A conversion that is done.

    Attributes:
        folder: the model folder.
        record: the conversion's record.
        kept: what of the training images' names is kept on this machine.
    """

    folder: Path
    record: ConversionRecord
    kept: Kept


def convert_checked(request: ConversionRequest, id_key: Path | None = None) -> Converted:
    """Convert, and keep the names of the training images.

    Args:
        request: with absolute paths.
        id_key: as for `convert`.
    Raises:
        UsageProblem, RefusedInput: as `convert`; a key that cannot be read or made is refused before the work.
    """
    if request.output is None:
        raise UsageProblem("output: expected a folder to write, got none")
    if id_key is not None:
        key_at(id_key)
    record = run_conversion(request)
    kept = keep_names_of_export(request.output, request.checkpoint, request.train_config, id_key)
    return Converted(request.output, record, kept)


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
        base: the folder of the base, or of a Sa2VA, that the training run started from.
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
    converted = ConvertRequest(
        checkpoint,
        output,
        base=base,
        sam2=sam2,
        sam2_config=sam2_config,
        train_config=train_config,
        lora_alpha=lora_alpha,
        template=template,
        pretrained=pretrained,
        id_key=id_key,
        dtype=dtype,
    ).run()
    _log.info("%s", converted.kept.text)
    return converted.record
