"""Label Studio: tasks as JSON, with brush layers as run-length codes."""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from helpers.core.atomic import write_json_atomic, write_text_atomic
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.exchange.brush_rle import BadBrush, decode_brush, encode_brush
from helpers.data.exchange.exchanged import (
    AS_LABELLED,
    GivenMask,
    GivenMasks,
    SentCase,
    SentSet,
    VesselChoice,
    plain_image,
    read_annotations,
    stated_name,
    vessel_notes,
)

_IMAGES, _FILE, _CONFIG = "images", "tasks.json", "labels.xml"
_FROM, _TO = "tag", "image"
_WORK = ("annotations", "completions")  # the second in exports of before 1.0
# What is answered about an image or a region: it draws nothing, whatever region stands in it too.
_ANSWERS = frozenset({"choices", "taxonomy", "textarea", "rating", "number", "datetime", "relation"})
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the names of files uploaded to it
_XML = str.maketrans({"&": "&amp;", "<": "&lt;", '"': "&quot;"})


def write_label_studio(folder: Path, cases: Iterable[SentCase], sent: SentSet) -> None:
    """`images/ID.png`, `tasks.json` to import, and `labels.xml`, the labelling interface.

    Tasks name their images as files of a local storage whose folder is this one. Masks are annotations where they are
    truth, else predictions, which an annotator takes over or not.
    """
    (folder / _IMAGES).mkdir()
    tasks = []
    for case in cases:
        name = f"{case.case_id}.png"
        plain_image(case.image).save(folder / _IMAGES / name)
        task: dict[str, Any] = {"data": {_TO: f"/data/local-files/?d={_IMAGES}/{name}", "case_id": case.case_id}}
        if case.flags:
            task["data"]["flags"] = ", ".join(case.flags)
        if case.mask is not None:
            result = [_layer(case.mask, case.case_id, sent.label)] if case.mask.any() else []
            task["annotations" if sent.is_truth else "predictions"] = [{"result": result}]
        tasks.append(task)
    write_json_atomic(folder / _FILE, tasks)
    write_text_atomic(
        folder / _CONFIG,
        f'<View>\n  <Image name="{_TO}" value="${_TO}" zoom="true"/>\n  <BrushLabels name="{_FROM}" toName="{_TO}">\n'
        f'    <Label value="{sent.label.translate(_XML)}"/>\n  </BrushLabels>\n</View>\n',
    )


def is_label_studio(value: Any) -> bool:
    """Whether a JSON value is a list of Label Studio's tasks."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in value)
    )


def read_label_studio_masks(files: Iterable[Path], choice: VesselChoice = AS_LABELLED) -> GivenMasks:
    """The masks of exported tasks, each the union of its annotation's brush layers of vessels.

    Args:
        choice: which labels are vessel.
    Raises:
        RefusedInput: for several labels where nothing is said of them, several annotations of one task, images turned
            in the tool, and other shapes.
    """
    drawn, untouched, answers, labels = [], 0, 0, dict[str, Path]()
    for path in files:
        value = read_annotations(path)
        if not is_label_studio(value):
            raise RefusedInput(f"{path}: expected tasks with 'data' (Label Studio's JSON), found another kind of JSON")
        for number, task in enumerate(value, 1):
            where = f"{path}, task {task.get('id', number)}"
            layers = _layers(where, task)
            if layers is None:
                untouched += 1
                continue
            shapes = [layer for layer in layers if layer.get("type") not in _ANSWERS]
            answers += len(layers) - len(shapes)
            labelled = [(_label(where, layer), layer) for layer in shapes]
            labels = dict.fromkeys((label for label, _ in labelled), path) | labels
            drawn.append((where, _image_name(where, task["data"]), labelled))
    vessel, masks = choice.vessel_of(labels), []
    for where, name, labelled in drawn:
        layers = [layer for label, layer in labelled if label in vessel]
        if layers:
            masks.append(GivenMask(name, partial(_read, where, layers)))
        else:
            untouched += 1  # an empty annotation states no size
    notes = vessel_notes(vessel)
    if answers:
        notes += (f"{counted(answers, 'answer')} beside the brush layers left out, such as choices and texts",)
    return GivenMasks(tuple(masks), untouched, notes, stated=True)


def _layers(where: str, task: dict) -> list[dict] | None:
    """The shapes of a task's annotation; None where nobody annotated it."""
    given: list[Any] = next((task[name] for name in _WORK if isinstance(task.get(name), list)), [])
    done = [one for one in given if isinstance(one, dict) and not one.get("was_cancelled")]
    if len(done) > 1:
        raise RefusedInput(
            f"{where}: expected one annotation, found {len(done)}. It is unclear whose counts: export one annotator's"
        )
    if not done:
        return None
    result = done[0].get("result")
    if not isinstance(result, list) or not all(isinstance(layer, dict) for layer in result):
        raise RefusedInput(f"{where}: expected a list as result. Export as JSON, not JSON-MIN")
    return result


def _label(where: str, layer: dict) -> str:
    value = layer.get("value")
    if not isinstance(value, dict) or value.get("format") != "rle":
        kind = layer.get("type")
        raise RefusedInput(f"{where}: expected brush layers, found {kind!r}. Draw vessels with the brush alone")
    if layer.get("image_rotation") not in (None, 0):
        raise RefusedInput(f"{where}: its image was turned by {layer['image_rotation']} degrees. Turn it back")
    labels = value.get("brushlabels")
    if not isinstance(labels, list) or len(labels) != 1:
        raise RefusedInput(f"{where}: expected one label for a brush layer, found {labels}. Export the vessels alone")
    return str(labels[0])


def _read(where: str, layers: list[dict]) -> np.ndarray:
    sizes = {(layer.get("original_width"), layer.get("original_height")) for layer in layers}
    width, height = next(iter(sizes))
    if len(sizes) > 1 or type(width) is not int or type(height) is not int or min(width, height) < 1:
        raise RefusedInput(f"{where}: expected original_width and original_height of its image. Export it again")
    united = np.zeros((height, width), bool)
    for layer in layers:
        try:
            united |= decode_brush(layer["value"].get("rle"), width, height)[0]
        except BadBrush as error:
            raise RefusedInput(f"{where}: a brush layer cannot be read: {error}. Export it again") from error
    return united


def _image_name(where: str, data: dict) -> str:
    """The name of a task's image without its suffix: of an uploaded file what it was called before, without folders."""
    given = [value for name, value in data.items() if isinstance(value, str) and name in (_TO, "img", "image_url")]
    if len(given) != 1:
        raise RefusedInput(f"{where}: expected its image under 'image' in 'data'. Export it with the data of its task")
    parts = urlsplit(given[0].replace("\\", "/"))
    path = unquote(parse_qs(parts.query).get("d", [parts.path])[0])
    name = stated_name(where, path)
    return _UPLOADED.sub("", PurePosixPath(name).name, count=1) if "/upload/" in path else name


def _layer(mask: np.ndarray, case_id: str, label: str) -> dict[str, Any]:
    height, width = mask.shape
    return {
        "id": case_id,
        "type": "brushlabels",
        "from_name": _FROM,
        "to_name": _TO,
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode_brush(mask), "brushlabels": [label]},
    }
