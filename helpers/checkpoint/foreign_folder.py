"""Folders that downloads and other tools leave, and that hold a model in a place of their own."""

from pathlib import Path

from helpers.errors import RefusedInput

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")

_CACHED = "models--"
_UNIVERSAL = "latest_universal"
_SHOWN = 5


def is_adapter_folder(folder: Path) -> bool:
    """Whether a folder holds an adapter as peft saves it, and no whole model beside."""
    wholes = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
    return (folder / ADAPTER_CONFIG).is_file() and not any((folder / name).exists() for name in wholes)


def adapter_weights(folder: Path) -> Path:
    """The weight file of an adapter folder.

    Raises:
        RefusedInput: where there is none, or more than one.
    """
    found = [folder / name for name in ADAPTER_WEIGHTS if (folder / name).exists()]
    if len(found) != 1:
        got = " and ".join(path.name for path in found) or "none of them"
        raise RefusedInput(
            f"{folder} is the folder of a peft adapter ({ADAPTER_CONFIG}); expected one of "
            f"{' or '.join(ADAPTER_WEIGHTS)} in it, found {got}. Copy the folder as peft saved it."
        )
    return found[0]


def refuse_cache_folder(path: Path) -> None:
    """Raise RefusedInput for a folder of HuggingFace's download cache, with the folder in it that holds the model."""
    for folder in (path, path.parent):
        snapshots = folder / "snapshots"
        if snapshots.is_dir() and (folder.name.startswith(_CACHED) or (folder / "blobs").is_dir()):
            if path in (folder, snapshots, folder / "blobs", folder / "refs"):
                raise RefusedInput(
                    f"{path} belongs to HuggingFace's download cache, which keeps each version of a model in a folder "
                    f"of its own. {_which(folder)}"
                )
            return
    models = sorted(one.name for one in path.glob(f"{_CACHED}*") if (one / "snapshots").is_dir())
    if models:
        shown = ", ".join(models[:_SHOWN]) + (", ..." if len(models) > _SHOWN else "")
        raise RefusedInput(
            f"{path} is HuggingFace's download cache, with {len(models)} models ({shown}). Give the snapshot of one, "
            f"such as {path / models[0] / 'snapshots'}/..."
        )


def refuse_universal(path: Path) -> None:
    """Raise RefusedInput for a DeepSpeed universal checkpoint: its folder, the one around it, or a file in it."""
    folders = (path, *path.parents[:3]) if path.is_file() else (path,)
    for folder in folders:
        if any((folder / "zero").glob("*/fp32.pt")) or ((folder / _UNIVERSAL).is_file() and path.is_dir()):
            raise RefusedInput(
                f"{path} belongs to a DeepSpeed universal checkpoint, which keeps each parameter in a file of its own "
                "(zero/NAME/fp32.pt) and is not read. Give the checkpoint that it was made from: consolidate that one "
                "in the training environment with zero_to_fp32.py, and give the resulting pytorch_model.bin."
            )


def refuse_adapters_within(path: Path) -> None:
    """Raise RefusedInput for a folder without a model that holds adapters, or one without its settings."""
    if any((path / name).exists() for name in ADAPTER_WEIGHTS):
        raise RefusedInput(
            f"{path} holds the LoRA of a peft adapter, but {ADAPTER_CONFIG} is missing, which names its alpha. Copy it "
            "too."
        )
    found = sorted(one.parent for one in path.glob(f"*/{ADAPTER_CONFIG}"))
    if found:
        raise RefusedInput(
            f"{path} holds no model but {len(found)} adapters ({', '.join(one.name for one in found[:_SHOWN])}). An "
            f"adapter is read as the LoRA of one checkpoint: give the iter_N.pth that it was made from, or {found[0]}."
        )


def _which(cached: Path) -> str:
    """What to give of a cached model: the version that `main` names, else any."""
    snapshots = sorted(one for one in (cached / "snapshots").iterdir() if one.is_dir())
    if not snapshots:
        return "It holds no version: the download did not finish. Download the model again."
    main = cached / "refs" / "main"
    named = cached / "snapshots" / main.read_text("utf-8").strip() if main.is_file() else None
    others = [one for one in snapshots if one != named]
    if named in snapshots:
        rest = f" (others: {', '.join(one.name for one in others[:_SHOWN])})" if others else ""
        return f"Give {named}, the one named main{rest}."
    if len(others) == 1:
        return f"Give {others[0]}."
    return f"Give one of {', '.join(str(one) for one in others[:_SHOWN])}."
