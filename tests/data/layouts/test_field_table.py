"""The table of layouts of the field in docs/datasets.md, made from small data sets.

`python -m tests.data.layouts.test_field_table` writes it anew.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.data.audit.audit import audit
from helpers.data.dataset import open_dataset
from tests.data.layouts.test_labelme import labelme, shape
from tests.support.annotation_files import coco, write
from tests.support.dicom_files import angiogram
from tests.support.dicom_files import write as write_dicom
from tests.support.field_data_sets import HEIGHT, WIDTH, frame, mask
from tests.support.video_files import write_video

PAGE = Path(__file__).parents[3] / "docs" / "datasets.md"
START, END = "<!-- layouts of the field -->\n", "<!-- end -->\n"
COUNT = 3
SQUARE = [8, 8, 30, 8, 30, 20, 8, 20]


@dataclass(frozen=True)
class Field:
    """A layout of the field.

    Attributes:
        disk: how it lies on the disk, in Markdown.
        build: writes a small data set of `COUNT` frames into a folder.
    """

    name: str
    disk: str
    build: Callable[[Path], None]


def pairs(image: str, truth: str, value: int = 255, mode: str = "L") -> Callable[[Path], None]:
    def build(root: Path) -> None:
        for seed in range(COUNT):
            frame(root / image.format(seed), seed)
            mask(root / truth.format(seed), seed, value, mode=mode)

    return build


def nnunet(root: Path) -> None:
    pairs("imagesTr/v_{:03d}_0000.png", "labelsTr/v_{:03d}.png", 1)(root)
    labels = {"background": 0, "vessel": 1}
    write(
        root / "dataset.json",
        {"channel_names": {"0": "XA"}, "labels": labels, "numTraining": COUNT, "file_ending": ".png"},
    )


def voc(root: Path) -> None:
    pairs("JPEGImages/{}.jpg", "SegmentationClass/{}.png", mode="P")(root)
    for seed in range(COUNT):
        mask(root / f"SegmentationObject/{seed}.png", seed, mode="P")
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("0\n1\n2\n")
    (root / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nbackground:0,0,0::\nvessel:128,0,0::\n")


def coco_of(image: str, file: str, split: str = "train") -> Callable[[Path], None]:
    def build(root: Path) -> None:
        images = [{"id": n, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT} for n in range(COUNT)]
        for n in range(COUNT):
            frame(root / image.format(split=split, n=n), n)
        annotations = [{"image_id": n, "segmentation": [SQUARE]} for n in range(COUNT)]
        write(root / file.format(split=split), coco(images, annotations, ("vessel",)))

    return build


def drive(root: Path) -> None:
    for number in range(21, 21 + COUNT):
        frame(root / f"training/images/{number}_training.tif", number)
        mask(root / f"training/1st_manual/{number}_manual1.gif", number)
        mask(root / f"training/mask/{number}_training_mask.gif", number)


def xcad(root: Path) -> None:
    pairs("test/images/0000{}_1.png", "test/masks/0000{}_1.png")(root)
    frame(root / "train/trainB/003_PPA_-29_PSA_29_2.png", 9)


def sa2va(root: Path) -> None:
    entries = []
    for seed in range(COUNT):
        frame(root / "images" / f"{seed}.png", seed)
        entries.append({"image": f"{seed}.png", "mask": [SQUARE], "text": ["vessel"]})
    write(root / "annotations.json", entries)


def labelmes(root: Path) -> None:
    for seed in range(COUNT):
        frame(root / f"{seed}.png", seed)
        write(root / f"{seed}.json", labelme(f"{seed}.png", shape(SQUARE), width=WIDTH, height=HEIGHT))


def beside(name: str, text: Callable[[int], str], each: bool = True) -> Callable[[Path], None]:
    """Frames, and texts beside them."""

    def build(root: Path) -> None:
        for seed in range(COUNT):
            frame(root / "images" / f"{seed}.png", seed)
            path = root / name.format(seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text(seed))

    return build


def studio(seed: int) -> str:
    return json.dumps([{"id": 1, "data": {"image": f"{seed}.png"}, "annotations": [{"result": []}]}])


def films(root: Path) -> None:
    write_video(root / "a.avi", np.zeros((COUNT, 16, 16), np.uint8))


def dicom(root: Path) -> None:
    write_dicom(root / "P1" / "IM0001", angiogram(np.arange(COUNT * 256).reshape(COUNT, 16, 16)))


CVAT = "<annotations><version>1.1</version><image id='0' name='{}.png'/></annotations>"
FIELDS = (
    Field("nnU-Net raw", "`imagesTr/x_0000.png`, `labelsTr/x.png`, its own `dataset.json`", nnunet),
    Field(
        "mmsegmentation",
        "`img_dir/train/x.jpg`, `ann_dir/train/x.png`",
        pairs("img_dir/train/{}.jpg", "ann_dir/train/{}.png", 1),
    ),
    Field(
        "Pascal VOC",
        "`JPEGImages/x.jpg`, `SegmentationClass/x.png` of a palette, `SegmentationObject/`, `ImageSets/`",
        voc,
    ),
    Field(
        "COCO of CVAT",
        "`images/train/x.png`, `annotations/instances_train.json`",
        coco_of("images/{split}/{n}.png", "annotations/instances_{split}.json"),
    ),
    Field(
        "COCO of Datumaro",
        "`images/default/x.png`, `annotations/instances_default.json`",
        coco_of("images/{split}/{n}.png", "annotations/instances_{split}.json", "default"),
    ),
    Field(
        "COCO of Roboflow",
        "`train/x.png`, `train/_annotations.coco.json`",
        coco_of("{split}/{n}.png", "{split}/_annotations.coco.json"),
    ),
    Field("DRIVE", "`training/images/21_training.tif`, `training/1st_manual/21_manual1.gif`, `training/mask/`", drive),
    Field("XCAD", "`test/images/`, `test/masks/`, `train/trainB/`", xcad),
    Field(
        "ARCADE",
        "`syntax/train/images/`, `syntax/train/annotations/train.json`",
        coco_of("syntax/{split}/images/{n}.png", "syntax/{split}/annotations/{split}.json"),
    ),
    Field("Sa2VA fine-tuning", "`images/x.png`, `annotations.json`", sa2va),
    Field("LabelMe", "`x.png`, `x.json`", labelmes),
    Field("DICOM", "files of several frames, whatever their names", dicom),
    Field("Videos", "`x.avi`", films),
    Field(
        "YOLO", "`images/x.png`, `labels/x.txt`", beside("labels/{}.txt", lambda seed: "0 0.1 0.1 0.9 0.1 0.5 0.9\n")
    ),
    Field("Label Studio", "`images/x.png`, its JSON", beside("export/{}.json", studio)),
    Field("CVAT", "`images/x.png`, its XML", beside("annotations/{}.xml", CVAT.format)),
)


def row(field: Field) -> str:
    """What a layout gives."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "set"
        root.mkdir()
        field.build(root)
        dataset = open_dataset(root, id_key=Path(name) / "id.key")
        report = audit(dataset)
        assert report.ok, report.to_text()
        assert len(dataset.cases) == COUNT, field.name
        named = sum(dataset.unread.values())
        truths = sum(case.truth is not None for case in dataset.cases)
        assert all(case.truth.mask(*case.truth.size or (WIDTH, HEIGHT)).any() for case in dataset.cases if case.truth)
    assert truths in {0, COUNT} and not (truths and named)
    result = f"named, not read: {', '.join(dataset.unread)}" if named else "read"
    truth = "yes" if truths else "none"
    return f"| {field.name} | {field.disk} | {result} | `{dataset.layout}` | {truth} |\n"


def table() -> str:
    """The table in Markdown."""
    head = "| layout | on the disk | annotations | `--layout` found | truth |\n| --- | --- | --- | --- | --- |\n"
    return head + "".join(map(row, FIELDS))


def test_the_page_says_what_each_layout_of_the_field_gives():
    assert len(FIELDS) == 16
    text = PAGE.read_text(encoding="utf-8")
    written = text[text.index(START) + len(START) : text.index(END)]
    assert written == table(), "python -m tests.data.layouts.test_field_table writes the table"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(before + START + table() + END + rest.partition(END)[2], encoding="utf-8")
