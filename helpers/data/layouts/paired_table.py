"""Data sets of paired files, as a table: which folder and file name holds an image, its mask, a second reader's mask.

Images and masks are matched by the part of the name that the patterns call `key`, never by their order. Folder names
and patterns are compared without regard to case.
"""

import re
from dataclasses import dataclass

GREY = r"\.(png|tif|tiff|bmp|gif|pgm|ppm|jpg|jpeg)"


@dataclass(frozen=True)
class PairedFiles:
    """Files of one kind.

    Attributes:
        folder: below the root, with '/'; empty for the root itself.
        name: pattern of the whole file name, with a group `key`, and a group `patient` where the name states one.
    """

    folder: str
    name: str

    def match(self, file_name: str) -> re.Match[str] | None:
        return re.fullmatch(self.name, file_name, re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class PairedPart:
    """One part of a data set: images, and masks where the part has them.

    Attributes:
        masks: of the first reader; None where the part has none.
        second: masks of another reader.
        field_of_view: masks of what the camera saw, not of vessels; they too show that the layout is this one.
    """

    images: PairedFiles
    masks: PairedFiles | None
    second: PairedFiles | None = None
    split: str | None = None
    field_of_view: PairedFiles | None = None


@dataclass(frozen=True)
class PairedLayout:
    """A layout of paired files.

    Attributes:
        name: as `--layout` takes it.
        parts: each whose images are there is read.
        wrappers: names of the folder that the published archive unpacks to; the root may be it or hold it.
        public: whether it is that of one published data set.
        expected: for messages.
        marks: subfolders one of which must exist for the layout to be recognised unasked, unless the folder bears the
            name of a wrapper. For layouts whose names alone could be anybody's.
        note: what people should know, added to a reading's notes.
    """

    name: str
    parts: tuple[PairedPart, ...]
    wrappers: tuple[str, ...]
    public: bool
    expected: str
    marks: tuple[str, ...] = ()
    note: str | None = None


# The layout of a user's own pairs: its parts are found by looking, see `helpers.data.layouts.own_pairs`.
GENERIC = PairedLayout(
    "paired",
    (),
    wrappers=(),
    public=False,
    expected="images/ and masks/ with files of the same stem, or a.png beside a_mask.png",
)


def _drive(split: str, folder: str, word: str) -> PairedPart:
    key = rf"(?P<key>(?P<patient>\d+))_{word}"
    start = f"{folder}/" if folder else ""
    return PairedPart(
        PairedFiles(f"{start}images", rf"{key}\.(tif|tiff|png)"),
        PairedFiles(f"{start}1st_manual", rf"(?P<key>\d+)_manual1{GREY}"),
        PairedFiles(f"{start}2nd_manual", rf"(?P<key>\d+)_manual2{GREY}"),
        split,
        field_of_view=PairedFiles(f"{start}mask", rf"{key}_mask{GREY}"),
    )


PUBLISHED = (
    PairedLayout(
        "xcad",
        (
            PairedPart(
                PairedFiles("test/images", r"(?P<key>\d+_\d+)\.png"),
                PairedFiles("test/masks", r"(?P<key>\d+_\d+)\.png"),
                split="test",
            ),
        ),
        wrappers=("XCAD",),
        public=True,
        expected="test/images/NNNNN_F.png and test/masks/ with the same names",
        marks=("train/trainA", "train/trainB", "train/trainC"),
        note="the training frames (train/trainB) have no ground truth and were not read",
    ),
    PairedLayout(
        "dca1",
        (PairedPart(PairedFiles("", r"(?P<key>\d{1,3})\.pgm"), PairedFiles("", r"(?P<key>\d{1,3})_gt\.pgm")),),
        wrappers=("Database_134_Angiograms",),
        public=True,
        expected="N.pgm and N_gt.pgm in one folder",
    ),
    PairedLayout(
        "chuac",
        (
            PairedPart(
                PairedFiles("Original", r"(?P<key>\d{1,2})\.png"),
                PairedFiles("Photoshop", r"angio(?P<key>\d{1,2})ok\.png"),
            ),
        ),
        wrappers=("CHUAC",),
        public=True,
        expected="Original/N.png and Photoshop/angioNok.png",
        note="images and masks of CHUAC are published in different sizes; masks are rescaled only on request",
    ),
    PairedLayout(
        "drive",
        tuple(
            _drive(split, folder, word)
            for split, word in (("train", "training"), ("test", "test"))
            for folder in (word, "")
        ),
        wrappers=("DRIVE",),
        public=True,
        expected="training/images/NN_training.tif, training/1st_manual/NN_manual1.gif and the same in test/",
    ),
    PairedLayout(
        "stare",
        tuple(
            PairedPart(
                PairedFiles(images, r"(?P<key>im\d{4})\.ppm(\.gz)?"),
                PairedFiles(first, r"(?P<key>im\d{4})\.ah\.ppm(\.gz)?"),
                PairedFiles(second, r"(?P<key>im\d{4})\.vk\.ppm(\.gz)?"),
            )
            for images, first, second in (("stare-images", "labels-ah", "labels-vk"), ("", "", ""))
        ),
        wrappers=("STARE",),
        public=True,
        expected="stare-images/imNNNN.ppm and labels-ah/imNNNN.ah.ppm, gzipped or not",
    ),
    PairedLayout(
        "chase_db1",
        (
            PairedPart(
                PairedFiles("", r"Image_(?P<key>(?P<patient>\d{2})[LR])\.jpe?g"),
                PairedFiles("", r"Image_(?P<key>\d{2}[LR])_1stHO\.png"),
                PairedFiles("", r"Image_(?P<key>\d{2}[LR])_2ndHO\.png"),
            ),
        ),
        wrappers=("CHASEDB1", "CHASE_DB1"),
        public=True,
        expected="Image_NNL.jpg, Image_NNL_1stHO.png (and R) in one folder",
    ),
    PairedLayout(
        "fives",
        tuple(
            PairedPart(
                PairedFiles(f"{split}/Original", r"(?P<key>\d+_[ADGN])\.png"),
                PairedFiles(f"{split}/Ground truth", r"(?P<key>\d+_[ADGN])\.png"),
                split=split,
            )
            for split in ("train", "test")
        ),
        wrappers=("FIVES A Fundus Image Dataset for AI-based Vessel Segmentation", "FIVES"),
        public=True,
        expected="train/Original/N_A.png, 'train/Ground truth/N_A.png' and the same in test/",
    ),
    PairedLayout(
        "hrf",
        (
            PairedPart(
                PairedFiles("images", r"(?P<key>(?P<patient>\d{2}_(dr|g|h)))\.(jpg|jpeg|tif|png)"),
                PairedFiles("manual1", r"(?P<key>\d{2}_(dr|g|h))\.(tif|tiff|png)"),
            ),
        ),
        wrappers=("HRF",),
        public=True,
        expected="images/NN_dr.JPG (and _g, _h) and manual1/NN_dr.tif",
    ),
)

BY_NAME = {layout.name: layout for layout in (GENERIC, *PUBLISHED)}
