"""RefCOCO-style references: sentences on objects of a COCO file. The pickles they are published in are never loaded."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.core.shown_text import counted
from helpers.data.cases import Fault, Reading, Record
from helpers.data.layouts.annotation import image_path, reading, record_name
from helpers.data.layouts.coco import coco_truth, load_coco
from helpers.data.layouts.file_walk import UnsafePath

_PICKLE = re.compile(r"refs.*\.(p|pkl|pickle)", re.IGNORECASE)


def is_refs(value: Any) -> bool:
    """Whether a JSON value is a list of references."""
    return isinstance(value, list) and any(
        isinstance(item, dict) and {"ann_id", "sentences"} <= item.keys() for item in value
    )


def is_refs_pickle(path: Path) -> bool:
    """Whether a file is named as RefCOCO's pickles are."""
    return bool(_PICKLE.fullmatch(path.name))


def pickle_refusal(path: Path) -> RefusedInput:
    """The error for a pickle of references, with the way out."""
    return RefusedInput(
        f"{path}: expected references as JSON, found a pickle, which is never loaded since it can run programs. "
        "Convert it to JSON (a list of references with ann_id, image_id, split and sentences) where you trust "
        "its source, and put refs.json beside instances.json"
    )


def read_refcoco(root: Path, refs_file: Path) -> Reading:
    """One record for each image that is referred to; its truth is the union of all objects referred to in it.

    Args:
        refs_file: JSON of references; the COCO file `instances.json` lies beside it.
    """
    refs = read_json(refs_file)
    if not is_refs(refs):
        raise RefusedInput(
            f"{refs_file}: expected a list of references with 'ann_id' and 'sentences', found another kind of JSON"
        )
    instances = refs_file.with_name("instances.json")
    if not instances.is_file():
        raise RefusedInput(f"{instances}: expected the COCO file that the references point into, found none")
    coco = load_coco(instances)
    owned = [(str(item.get("id")), image_id, item) for image_id, items in coco.by_image.items() for item in items]
    counts = Counter(key for key, _, _ in owned)
    annotations = {key: item for key, _, item in owned if counts[key] == 1}
    image_of = {key: image_id for key, image_id, _ in owned if counts[key] == 1}
    by_image: dict[str, list[dict]] = {}
    faults = list(coco.faults)
    for number, ref in enumerate(refs):
        wanted = annotation_ids(ref)
        image_ids = {image_of[key] for key in wanted if key in image_of}
        if not wanted or not all(key in image_of for key in wanted) or len(image_ids) != 1:
            faults.append(Fault(f"{refs_file.name}[{number}]", "the reference points at no annotation of one image"))
            continue
        by_image.setdefault(image_ids.pop(), []).append(ref)
    records = []
    images = coco.images
    for image_id, group in by_image.items():
        image = images.get(image_id)
        if image is None:
            faults.append(Fault(f"{instances.name}[image {image_id}]", "several images of the file have the same id"))
            continue
        try:
            path = image_path(root, instances, image.get("file_name"))
        except UnsafePath as error:
            faults.append(Fault(f"{instances.name}[image {image_id}]", f"image path: {error.reason}"))
            continue
        keys = dict.fromkeys(key for ref in group for key in annotation_ids(ref))
        splits = {str(ref["split"]) for ref in group if ref.get("split")}
        records.append(
            Record(
                record_name(root, path),
                path,
                truth=coco_truth([annotations[key] for key in keys], image),
                split=splits.pop() if len(splits) == 1 else None,
                provenance={
                    "annotation": record_name(root, refs_file),
                    "image_id": image_id,
                    "objects": len(keys),
                    "texts": "\n".join(sentences(group)) or None,
                },
            )
        )
    unnamed = len(images) - len(by_image)
    notes = [f"skipped: {counted(unnamed, 'image')} of the COCO file that nothing refers to"] if unnamed > 0 else []
    return reading("refcoco", records, source=refs_file, notes=notes, faults=faults)


def annotation_ids(ref: Any) -> list[str]:
    """Ids of the annotations that a reference points at, as text; none where it is damaged."""
    given = ref.get("ann_id") if isinstance(ref, dict) else None
    return [str(key) for key in (given if isinstance(given, list) else [given]) if isinstance(key, int | str)]


def sentences(refs: list[dict]) -> list[str]:
    """What references say, in their order."""
    texts = []
    for ref in refs:
        listed = ref.get("sentences")
        for sentence in listed if isinstance(listed, list) else ():
            text = sentence.get("sent") if isinstance(sentence, dict) else sentence
            if isinstance(text, str):
                texts.append(text)
    return texts
