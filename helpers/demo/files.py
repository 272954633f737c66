"""Where the demo's own files are: the trained model, frames that it did not see, and what it gave for them."""

from pathlib import Path

from helpers.demo.checkpoint import DemoCheckpoint

_FOLDER = Path(__file__).parent / "files"

MODEL = DemoCheckpoint(_FOLDER / "model")
DATA = _FOLDER / "data"
BASELINE = _FOLDER / "frangi.json"
SCORES, LOGITS = _FOLDER / "gate.json", _FOLDER / "logits.npz"
STAMP = "synthetic, tiny model"
