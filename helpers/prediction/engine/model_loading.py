"""Load an exported model folder, after checking that its code is the code that was exported."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModel, AutoTokenizer

from helpers.checkpoints.convert.conversion_record import RECORD_NAME, read_record
from helpers.checkpoints.convert.tokenizer_files import tokenizer_files
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Quantization
from helpers.prediction.engine.dtypes import DTYPES, MIXED, ModelDtype, one_dtype
from helpers.prediction.engine.materialize import fill, without_values
from helpers.prediction.engine.memory_estimate import cuda_index, require_memory, stored_shapes

logger = logging.getLogger(__name__)

_FAMILY = "sa2va"
_SETTINGS = (  # that transformers reads from a model folder
    "config.json", "generation_config.json", "tokenizer_config.json", "processor_config.json",
    "preprocessor_config.json", "video_preprocessor_config.json",
)  # fmt: skip


@dataclass(frozen=True)
class ModelIdentity:
    """What a run remembers of its model: no path, since folders of users' machines do not belong in results.

    Attributes:
        folder_name: name of the folder, or of the checkpoint that the model was composed from.
        tensors_sha256: the fingerprint in the folder's conversion record; None where there is no record.
        files_sha256: of the code, configuration and tokenizer, see `files_fingerprint`.
    """

    folder_name: str
    tensors_sha256: str | None
    files_sha256: str


def choose_device(device: str) -> torch.device:
    """'auto' is the first CUDA device, or the CPU; any other name must be usable here. Raises UsageProblem."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UsageProblem(f"device: expected auto, cpu, cuda, cuda:N or mps, got {device!r}") from error
    usable = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (chosen.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not usable.get(chosen.type, False):
        raise UsageProblem(f"device: {device!r} is not available on this machine. Use auto or cpu")
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> ModelDtype:
    """'auto' is mixed on CUDA devices that compute in bfloat16, and float32 elsewhere. Raises UsageProblem."""
    if dtype == "auto":
        wide = device.type != "cuda" or not torch.cuda.is_bf16_supported()
        return one_dtype(torch.float32) if wide else MIXED
    if dtype not in DTYPES:
        raise UsageProblem(f"dtype: expected auto or one of {', '.join(DTYPES)}, got {dtype!r}")
    return DTYPES[dtype]


def check_folder(model_dir: Path) -> ModelIdentity:
    """Check an exported folder before any of its code runs.

    The folder's Python files must be those named in its conversion record, with the same SHA-256. Without a record
    this cannot be checked, and the log says so.
    Raises `RefusedInput` for a folder that is not an export, for changed, added or missing code, and for code that
    would be taken from elsewhere.
    """
    if model_dir.is_file() or (not (model_dir / "config.json").exists() and any(model_dir.glob("*.pth"))):
        raise RefusedInput(
            f"{model_dir}: expected a folder that `vesselkit convert` wrote, found what looks like a checkpoint. "
            "Convert it first, or give it to `vesselkit predict` as --checkpoint"
        )
    config = _read_json(model_dir / "config.json", "a model folder written by `vesselkit convert`")
    kind = config.get("model_type", _FAMILY)
    if not str(kind).startswith(_FAMILY):
        raise RefusedInput(
            f"{model_dir}: expected a Sa2VA folder that `vesselkit convert` wrote, found a model of type "
            f"{kind!r}. If it is the model that was fine-tuned, it is the base: give the checkpoint with "
            "--checkpoint, and this folder as --base"
        )
    for name in _SETTINGS:
        path = model_dir / name
        for place in _code_elsewhere(_read_json(path, "settings") if path.is_file() else {}):
            raise RefusedInput(f"{path}: {place} points to code outside the folder. Convert again")
    record_path = model_dir / RECORD_NAME
    if not record_path.exists():
        logger.warning("the model folder has no %s, so that its code could not be checked", RECORD_NAME)
        return ModelIdentity(model_dir.name, None, files_fingerprint(model_dir))
    record = read_record(model_dir).values
    recorded = _recorded_code(record_path, record)
    present = {path.name: path for path in model_dir.glob("*.py")}
    for name in sorted(recorded.keys() | present.keys()):
        if name not in present:
            raise RefusedInput(
                f"{model_dir / name}: expected this file, which {RECORD_NAME} records, found none. Convert again"
            )
        if name not in recorded:
            raise RefusedInput(f"{present[name]}: code that {RECORD_NAME} does not record. Remove it, or convert again")
        found = hashlib.sha256(present[name].read_bytes()).hexdigest()
        if found != recorded[name]:
            expected = f"expected SHA-256 {recorded[name]} as recorded in {RECORD_NAME}, found {found}"
            raise RefusedInput(f"{present[name]}: {expected}. The code was changed after the export; convert again")
    return ModelIdentity(model_dir.name, record["tensors_sha256"], files_fingerprint(model_dir))


def files_fingerprint(model_dir: Path) -> str:
    """One SHA-256 of the files that decide predictions beside the weights: code, config.json and tokenizer."""
    total = hashlib.sha256()
    for path in sorted([*model_dir.glob("*.py"), model_dir / "config.json", *tokenizer_files(model_dir)]):
        total.update(json.dumps([path.name, hashlib.sha256(path.read_bytes()).hexdigest()]).encode())
    return total.hexdigest()


def check_memory(model_dir: Path, device: str, dtype: str, quantization: Quantization | None = None) -> None:
    """Stop where the model of a checked folder will not fit on a device. Raises as `require_memory`."""
    chosen = choose_device(device)
    require_memory(stored_shapes(model_dir), chosen, choose_dtype(dtype, chosen).main, quantization)


def load_model(
    model_dir: Path, device: str = "auto", dtype: str = "auto", quantization: Quantization | None = None
) -> tuple[Any, Any]:
    """The model, in evaluation mode on its device, and its tokenizer, from an exported folder and nowhere else.

    Tensors go from the files to the device one by one, so that nothing is held twice. Runs the folder's own code, so
    `check_folder` comes first.

    Args:
        quantization: of the language model's weights; None leaves them in the dtype.
    Raises:
        UsageProblem: for a device or dtype that cannot be used, or too little memory.
        RefusedInput: for a folder that is refused or whose files cannot be loaded.
    """
    model_dir = Path(model_dir)
    chosen_device = choose_device(device)
    chosen_dtype = choose_dtype(dtype, chosen_device)
    check_folder(model_dir)
    try:
        require_memory(stored_shapes(model_dir), chosen_device, chosen_dtype.main, quantization)
        # Told to trust the folder whose code was just checked, transformers 5 need not ask on the terminal.
        config = AutoConfig.from_pretrained(str(model_dir), trust_remote_code=True, local_files_only=True)
        model = without_values(lambda: AutoModel.from_config(config, trust_remote_code=True, dtype=chosen_dtype.main))
        fill(model, stored_tensors(model_dir, chosen_device), chosen_device, chosen_dtype, quantization)
        tokenizer = AutoTokenizer.from_pretrained(str(model_dir), trust_remote_code=True, local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise RefusedInput(
            f"{model_dir}: the model cannot be loaded ({error}). Verify the folder, or convert again"
        ) from error
    return model, tokenizer


def stored_tensors(model_dir: Path, device: torch.device, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a folder's files whose name begins so, on a device."""
    place = f"cuda:{cuda_index(device)}" if device.type == "cuda" else str(device)
    for path in sorted(model_dir.glob("*.safetensors")):
        with safe_open(path, framework="pt", device=place) as file:
            for name in (name for name in file.keys() if name.startswith(prefix)):  # noqa: SIM118 - no mapping
                tensor = file.get_tensor(name)
                # On a processor it may be a view of the file, which can change.
                yield name, tensor.clone() if device.type == "cpu" else tensor


def _code_elsewhere(values: Any, place: str = "") -> Iterator[str]:
    """Where settings name code of another repository, which transformers would fetch and run: dotted names.

    `auto_map` and `custom_pipelines` name a class as `repository--module.Class`; attention and expert layers may be
    named as kernels of a repository, `owner/name`, which versions before 5.3 took without asking; so may settings say
    that code is trusted.
    """
    if isinstance(values, Mapping):
        for name, value in values.items():
            here = f"{place}.{name}" if place else str(name)
            if str(name) in ("auto_map", "custom_pipelines"):
                yield from (here for text in _texts_in(value) if "--" in text)
            elif str(name).removesuffix("_internal").endswith("_implementation"):
                yield from (here for text in _texts_in(value) if "/" in text)
            elif str(name) == "trust_remote_code" and value:
                yield here
            else:
                yield from _code_elsewhere(value, here)
    elif isinstance(values, list):
        for number, value in enumerate(values):
            yield from _code_elsewhere(value, f"{place}.{number}")


def _texts_in(value: Any) -> Iterator[str]:
    """Every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts_in(item)


def _recorded_code(path: Path, record: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 by name of the Python files among the outputs of a conversion record."""
    try:
        return {name: entry["sha256"] for name, entry in record["outputs"].items() if name.endswith(".py")}
    except (AttributeError, KeyError, TypeError) as error:
        raise RefusedInput(
            f"{path}: expected 'outputs' with the SHA-256 of each file, found something else. Convert again"
        ) from error


def _read_json(path: Path, expected: str) -> dict:
    if not path.is_file():
        raise RefusedInput(f"{path}: expected {expected}, found none. Check the path")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RefusedInput(f"{path}: not readable as JSON ({error}). Convert again") from error
    if not isinstance(values, dict):
        raise RefusedInput(f"{path}: expected a JSON object, found {type(values).__name__}. Convert again")
    return values
