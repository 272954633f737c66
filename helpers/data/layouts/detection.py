"""Open a data set in any known layout: by its name, or by looking at its folders and files."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.safe_json import read_json
from helpers.core.shown_text import counted
from helpers.data.cases import Reading, Record
from helpers.data.frames.dicom_header import is_dicom
from helpers.data.frames.image_reading import IMAGE_SUFFIXES
from helpers.data.frames.video_file import VIDEO_SUFFIXES
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.layouts.annotation import image_path, normalised, reading, record_name, split_of, walk
from helpers.data.layouts.coco import (
    arcade_files,
    is_arcade_lesions,
    is_arcade_vessels,
    is_coco,
    read_arcade,
    read_coco,
)
from helpers.data.layouts.exif_turned import checked_orientation
from helpers.data.layouts.file_walk import UnsafePath, links_notes
from helpers.data.layouts.kit_results import no_results
from helpers.data.layouts.labelme import is_labelme, read_labelme
from helpers.data.layouts.paired_folders import is_paired, is_paired_by_name, masks_seen, read_paired, recognised
from helpers.data.layouts.paired_table import BY_NAME, GENERIC, PUBLISHED
from helpers.data.layouts.refcoco_references import is_refs, is_refs_pickle, pickle_refusal, read_refcoco
from helpers.data.layouts.sa2va_json import is_sa2va, read_sa2va
from helpers.data.layouts.series_folders import read_dicom, read_video
from helpers.data.layouts.unread_kinds import unread_annotations
from helpers.data.rule_file import is_rules_file, read_rules, with_rules_above
from helpers.data.rules import Rules, Saved

_BY_JSON: dict[str, tuple[Callable[[object], bool], str]] = {
    "sa2va": (is_sa2va, "a list of objects with 'image' and 'mask'"),
    "labelme": (is_labelme, "objects with 'shapes' and 'imagePath', one file for each image"),
    "coco": (is_coco, "an object with 'images' and 'annotations'"),
    "refcoco": (is_refs, "a list of references with 'ann_id' and 'sentences'"),
}
LAYOUTS: tuple[str, ...] = ("images", *BY_NAME, "arcade", "arcade_stenosis", *_BY_JSON, "dicom", "video")

_KINDS = {"video": "video file", "dicom": "DICOM file", "images": "image"}

_JSON_DEPTH = 3


def read_records(root: Path, layout: str | None = None, rules: Rules | None = None) -> Reading:
    """Read a data set.

    Args:
        root: its folder, its annotation file, or one file of frames: an image, a DICOM file, a video.
        layout: one of `LAYOUTS`; None to go by the rules, else to find out.
        rules: of the data set, which may say what it is and that its names are not secret; None for those kept with it.
    Raises:
        UsageProblem: where the layout has an unknown name.
        RefusedInput: where nothing fits, several layouts fit equally well, or the named one does not fit.
    """
    root = Path(root)
    if layout is not None and layout not in LAYOUTS:
        raise UsageProblem(f"expected a layout out of {', '.join(LAYOUTS)}, got {layout!r}")
    if root.is_file():
        return _read_file(root, layout, rules)
    if not root.is_dir():
        raise RefusedInput(
            f"{root}: expected the folder of a data set, or an annotation file, found none. Check the path"
        )
    root = no_results(root.absolute())
    rules = saved_rules(root).rules if rules is None else rules
    json_files: dict[str, list[Path]] = {}
    chosen = layout or rules.layout
    if chosen is None or chosen in _BY_JSON:
        json_files = _json_files(root, chosen)
    read = _read_folder(root, chosen or _detect(root, json_files), json_files)
    if chosen is not None:
        read = replace(read, notes=(*read.notes, *_passed_over(root, chosen)))
    if read.layout not in {"dicom", "video"}:  # which count them among other links
        read = replace(read, notes=(*read.notes, *links_notes(root)))
    read = replace(read, records=checked_orientation(read.records), unread=unread_annotations(root))
    return replace(read, public=True) if rules.ids is IdPolicy.PUBLIC else read


def saved_rules(root: Path) -> Saved:
    """The rules kept with the data set in the folder `root` or above it. Raises `RefusedInput` as `read_rules`."""
    return with_rules_above(read_rules(root, LAYOUTS), root.absolute(), LAYOUTS) if root.is_dir() else Saved()


def dataset_root(path: Path) -> Path:
    """The folder that a data set's names start from, links followed: the same however its folder or file is named."""
    path = Path(path).resolve()
    if not path.is_file():
        return path
    if path.suffix.lower() == ".json":
        return _root_of(path)
    return path if _frames_of(path) is None else path.parent


def _read_folder(root: Path, layout: str, json_files: dict[str, list[Path]]) -> Reading:
    if layout in BY_NAME:
        return read_paired(root, BY_NAME[layout])
    if layout in {"arcade", "arcade_stenosis"}:
        return read_arcade(root, lesions=layout == "arcade_stenosis")
    if layout == "dicom":
        return read_dicom(root)
    if layout == "video":
        return read_video(root)
    if layout == "images":
        return _read_images(root)
    files = json_files.get(layout)
    if not files:
        raise RefusedInput(
            f"{root}: expected layout {layout} ({_BY_JSON[layout][1]}), found no such JSON. Check the path or --layout"
        )
    if layout == "labelme":
        return read_labelme(root, files)
    if layout == "refcoco":
        if len(files) > 1:
            raise RefusedInput(
                f"{root}: expected one file of references, found {_listed(root, files)}. Name one of them"
            )
        return read_refcoco(root, files[0])
    splits = [split_of(file, root) for file in files]
    if len(files) > 1 and (None in splits or len(set(splits)) < len(splits)):
        raise RefusedInput(
            f"{root}: expected one annotation file, or one each for train, val and test, found {_listed(root, files)}. "
            "Name one of them"
        )
    return read_sa2va(root, files) if layout == "sa2va" else _read_coco(root, files)


def _read_coco(root: Path, files: list[Path]) -> Reading:
    for file in files:
        if is_arcade_lesions(file):
            raise RefusedInput(
                f"{file}: ARCADE's stenosis task outlines lesions, not vessels. Name the folder above it, with "
                "--layout arcade for the vessels or --layout arcade_stenosis for the lesions"
            )
    return read_coco(root, files, labelled=not all(is_arcade_vessels(file) for file in files))


def _read_file(file: Path, layout: str | None, rules: Rules | None) -> Reading:
    """A data set by its annotation file."""
    file = file.absolute()
    if is_refs_pickle(file):
        raise pickle_refusal(file)
    frames = _frames_of(file)
    if frames is not None:
        return _read_frames(file, frames, layout)
    if file.suffix.lower() != ".json":
        raise RefusedInput(
            f"{file}: expected a folder, a JSON annotation file, or one image, DICOM or video file, found another "
            "file. Name the folder that holds it"
        )
    kind = _kind(read_json(file))
    if kind is None or layout not in {None, kind}:
        expected = _BY_JSON[layout][1] if layout in _BY_JSON else "; ".join(text for _, text in _BY_JSON.values())
        raise RefusedInput(f"{file}: expected {expected}, found {kind or 'another kind of JSON'}. Check --layout")
    if kind == "coco" and file.with_name("refs.json").is_file() and layout is None:
        kind, file = "refcoco", file.with_name("refs.json")
    root = _root_of(file)
    rules = saved_rules(root).rules if rules is None else rules
    if kind == "labelme":
        read = read_labelme(root, [file], with_bare=False)
    else:
        read = _read_folder(root, kind, {kind: [file]})
    read = replace(read, records=checked_orientation(read.records))
    return replace(read, public=True) if rules.ids is IdPolicy.PUBLIC else read


def _frames_of(file: Path) -> str | None:
    """The layout of one file of frames; None for another file."""
    suffix = file.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "images"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    return "dicom" if suffix != ".json" and is_dicom(file) else None


def _read_frames(file: Path, kind: str, layout: str | None) -> Reading:
    """One file of frames, without ground truth, as if its folder held nothing else."""
    if layout not in {None, kind}:
        raise RefusedInput(f"{file}: expected layout {layout}, found one {_KINDS[kind]}. Leave --layout out")
    if kind == "images":
        read = reading(kind, [Record(file.name, file)], source=file.parent)
    else:
        read = (read_dicom if kind == "dicom" else read_video)(file.parent, file.name)
    return replace(read, records=checked_orientation(read.records))


def _root_of(file: Path) -> Path:
    """The data set's folder for an annotation file: its own, or the one above where only that one holds its images."""
    value = read_json(file)
    if is_refs(value) and file.with_name("instances.json").is_file():  # references name no images themselves
        value = read_json(file.with_name("instances.json"))
    entries = value.get("images", [value]) if isinstance(value, dict) else value
    for entry in [] if not isinstance(entries, list) else [entry for entry in entries if isinstance(entry, dict)][:20]:
        given = entry.get("image") or entry.get("file_name") or entry.get("imagePath")
        for root in (file.parent, file.parent.parent):
            try:
                if image_path(root, file, normalised(root, file.parent, given)).is_file():
                    return root
            except UnsafePath:
                continue
    return file.parent


def _read_images(root: Path) -> Reading:
    """Plain images without any annotation, in the folder and those below it."""
    paths = walk(root, lambda name: Path(name).suffix.lower() in IMAGE_SUFFIXES)
    records = [Record(record_name(root, path), path, split=split_of(path.parent / "_", root)) for path in paths]
    return reading("images", records, source=root)


def _detect(root: Path, json_files: dict[str, list[Path]]) -> str:
    """The name of the one layout that fits best: a published one, else an annotated one, else bare frames."""
    published = [layout.name for layout in recognised(root, PUBLISHED)]
    published += ["arcade"] if arcade_files(root) else []
    if published:
        return _only(root, published)
    if arcade_files(root, lesions=True):
        raise RefusedInput(
            f"{root}: found ARCADE's stenosis task alone, which outlines lesions, not vessels. Name it with --layout "
            "arcade_stenosis where lesions are wanted"
        )
    annotated = [name for name in _BY_JSON if json_files.get(name)]
    if "refcoco" in annotated and "coco" in annotated:
        annotated.remove("coco")
    if is_paired_by_name(root) if annotated else is_paired(root):
        annotated.append(GENERIC.name)
    pickles = walk(root, lambda name: is_refs_pickle(Path(name)), _JSON_DEPTH)
    if pickles and set(annotated) <= {"coco"}:
        raise pickle_refusal(pickles[0])
    frames = {} if annotated and annotated != [GENERIC.name] else _frame_kinds(root)
    if len(frames) > 1:
        found = " and ".join(counted(count, _KINDS[kind]) for kind, count in frames.items())
        raise RefusedInput(
            f"{root}: expected frames of one kind, found {found}. Put each kind into a folder of its own, or choose "
            f"one with --layout {' or '.join([GENERIC.name, *frames] if annotated else frames)}"
        )
    if annotated:
        return _only(root, annotated)
    if "images" in frames:
        _refuse_masks(root)
    if frames:
        return next(iter(frames))
    raise RefusedInput(
        f"{root}: expected images with masks, an annotation file, DICOM or video files, found none{_else_there(root)}. "
        f"Known layouts: {', '.join(LAYOUTS)}; docs/datasets.md shows each as it lies on the disk"
    )


def _else_there(root: Path) -> str:
    """What a folder without frames holds that may be, or may lead to, some; '' for nothing of that kind."""
    kinds = [f"{kind}: {counted(count, 'file')}" for kind, count in unread_annotations(root).items()][:3]
    said = "".join(f"; there are {kind}, which are not read: unpack or export them" for kind in kinds)
    return said + "".join(f"; {note}" for note in links_notes(root))


def _frame_kinds(root: Path) -> dict[str, int]:
    """How many files of frames there are of each kind: `video`, `dicom`, `images`."""
    files = walk(root, lambda name: True)
    other = {*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, ".json", ".txt", ".csv", ".md"}
    counts = {
        "video": sum(path.suffix.lower() in VIDEO_SUFFIXES for path in files),
        "dicom": sum(path.suffix.lower() not in other and is_dicom(path) for path in files),
        "images": sum(path.suffix.lower() in IMAGE_SUFFIXES for path in files),
    }
    return {kind: count for kind, count in counts.items() if count}


def _passed_over(root: Path, layout: str) -> list[str]:
    """Notes on frames of other kinds than that of the layout of frames that was named."""
    own = "images" if layout == GENERIC.name else layout
    if own not in _KINDS:
        return []
    notes = [
        f"skipped: {counted(count, _KINDS[kind])} beside" for kind, count in _frame_kinds(root).items() if kind != own
    ]
    if layout == "images" and masks_seen(root) is not None:
        notes.append("what looks like masks was read as frames, as the layout images was named")
    return notes


def _refuse_masks(root: Path) -> None:
    """Masks must not be taken for frames to predict."""
    seen = masks_seen(root)
    if seen is not None:
        raise RefusedInput(
            f"{root}: found images and what looks like masks ({seen}) that belong to no image. Expected "
            f"{'; '.join([GENERIC.expected, *links_notes(root)])}. Name or move the masks so; where they are frames "
            "indeed, say so with --layout images"
        )


def _only(root: Path, names: list[str]) -> str:
    if len(names) > 1:
        raise RefusedInput(f"{root}: expected one layout, found {' and '.join(names)}. Choose with --layout")
    return names[0]


def _json_files(root: Path, layout: str | None) -> dict[str, list[Path]]:
    """Annotation files by their kind, decided by content.

    In a folder with a file of LabelMe's, all that are of no other kind are taken for it: there is one for each image. A
    JSON file that cannot be read stops the search only where nothing else is found.
    """
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in walk(root, lambda name: name.lower().endswith(".json"), _JSON_DEPTH):
        if not _is_no_annotation(path):
            by_folder[path.parent].append(path)
    by_kind: dict[str, list[Path]] = defaultdict(list)
    refusals = []
    for files in by_folder.values():
        unknown: list[Path] = []
        for number, file in enumerate(files):
            try:
                kind = _kind(read_json(file))
            except RefusedInput as error:
                refusals.append(error)
                kind = None
            if kind == "labelme" and layout in {None, "labelme"}:
                by_kind[kind] += [*unknown, *files[number:]]
                break
            (unknown if kind is None else by_kind[kind]).append(file)
    if refusals and not by_kind:
        raise refusals[0]
    return by_kind


def _is_no_annotation(path: Path) -> bool:
    """Whether a file named as files of rules are holds no annotations: the kit's own, or another tool's."""
    try:
        return is_rules_file(path) and _kind(read_json(path)) is None
    except RefusedInput:  # told where the annotations are read
        return False


def _kind(value: object) -> str | None:
    return next((name for name, (fits, _) in _BY_JSON.items() if fits(value)), None)


def _listed(root: Path, files: list[Path]) -> str:
    names = [record_name(root, file) for file in files[:6]]
    return ", ".join(names) + (" and more" if len(files) > 6 else "")
