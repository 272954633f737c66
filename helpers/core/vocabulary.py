"""Words that commands, notebooks' parameters and packages share. Light to import: commands name them in their help."""

from enum import StrEnum


class ExportDtype(StrEnum):
    """Number types of an export."""

    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


class ComputeDtype(StrEnum):
    """What a model computes in; AUTO is what suits the device, MIXED is bfloat16 with SAM2 in float16."""

    AUTO = "auto"
    FLOAT32 = "float32"
    MIXED = "mixed"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class AskedIds(StrEnum):
    """Where a user says that the ids of cases shall come from."""

    KEEP = "keep"
    PSEUDONYM = "pseudonym"


class MaskValues(StrEnum):
    """What the values of a data set's mask files are."""

    MASK = "mask"
    PROBABILITY = "probability"


class Baseline(StrEnum):
    """Methods without a network that are given in place of a model's folder."""

    FRANGI = "frangi"


class Quantization(StrEnum):
    """How weights of the language model are stored."""

    INT8 = "int8"  # 8 bits, one step size a row
    NF4 = "nf4"  # 4 bits, quantiles of a normal distribution, one scale for 64 weights


class Launcher(StrEnum):
    """What started the processes of a run, as mmengine names it."""

    NONE = "none"
    PYTORCH = "pytorch"
    SLURM = "slurm"


class GridLauncher(StrEnum):
    """Where the jobs of a grid run."""

    LOCAL = "local"  # on this machine, a GPU for each
    SLURM = "slurm"  # as tasks of one array


class Mode(StrEnum):
    """How a run goes through the frames of a sequence."""

    FRAME = "frame"  # each frame by itself
    TRACK = "track"  # the first frames are prompted, the others followed: the official route
    TRACK_BOTH = "track-both"  # the frames of fullest vessels are prompted, the others followed both ways from there
    FUSED = "fused"  # the mean of FRAME and TRACK_BOTH

    @property
    def chooses(self) -> bool:
        """Whether the frames to prompt are chosen by their contrast."""
        return self in {Mode.TRACK_BOTH, Mode.FUSED}


class Ensemble(StrEnum):
    """What a frame is predicted again under, to see how far the answers differ."""

    FLIPS = "flips"  # mirrored left to right, top to bottom, and both; refused for prompts that name a side
    SIDED_FLIPS = "sided-flips"  # the same, also for such prompts
    PROMPTS = "prompts"  # the run's other prompts, which ask for the same in other words

    @property
    def flips(self) -> bool:
        """Whether frames are mirrored."""
        return self is not Ensemble.PROMPTS


class Combine(StrEnum):
    """How the maps of several `[SEG]` become one mask."""

    UNION = "union"  # a pixel is inside where any map is above the threshold
    FIRST = "first"  # the first map alone
    BEST = "best"  # the map of the highest known predicted IoU alone; the first of several, or where none is known


class Meaning(StrEnum):
    """What the values of all files are."""

    MASK = "mask"  # vessel where above 0
    PROBABILITY = "probability"  # 0 .. 1, or shares of 255 or 65535
    LOGIT = "logit"


class Language(StrEnum):
    """Languages that the review and the notebooks' prose are read in."""

    ENGLISH = "en"
    CHINESE = "zh"


class QueueOrder(StrEnum):
    """How the queue is sorted."""

    NATURAL = "natural"  # by case id, frames of a sequence in order of time
    WORST = "worst"
    BEST = "best"


class Preset(StrEnum):
    """A model's size; those in B are Sa2VA on InternVL with SAM2 Hiera-L, and Qwen2.5 unless they name another."""

    B1 = "1b"
    B2 = "2b"
    B4 = "4b"
    B8 = "8b"
    INTERNLM2_8B = "internlm2-8b"
    QWEN2_5_VL_3B = "qwen25vl-3b"
    QWEN3_VL_4B = "qwen3vl-4b"
    DEMO = "demo"
    TINY = "tiny"


class BeganFrom(StrEnum):
    """What a mask was before somebody corrected it."""

    PREDICTION = "prediction"
    TRUTH = "truth"  # the ground truth that there was
    EMPTY = "empty"  # no pixel
    CARRIED = "carried"  # the reader's correction of another frame, followed by a model to this one


# What a mask that was corrected in another program can have begun from.
BEGAN_ELSEWHERE = (BeganFrom.PREDICTION, BeganFrom.TRUTH, BeganFrom.EMPTY)


class Exchange(StrEnum):
    """Formats of other tools that masks go to and come from."""

    PNG = "png"
    LABELME = "labelme"  # shapes of pixels
    LABELME_POLYGONS = "labelme-polygons"
    COCO = "coco"  # run-length codes as CVAT has them
    LABEL_STUDIO = "labelstudio"
    NNUNET = "nnunet"
    NIFTI = "nifti"
    DICOM_SEG = "dicom-seg"  # Segmentation objects of DICOM frames
    DICOM_SEG_FRACTIONAL = "dicom-seg-fractional"  # the same with the model's probabilities


# Formats of DICOM frames alone.
SEGMENTATIONS = (Exchange.DICOM_SEG, Exchange.DICOM_SEG_FRACTIONAL)


class Identity(StrEnum):
    """Whose identity a Segmentation object carries."""

    DECLARED = "declared"  # the source's where its header says that identity was removed, else a pseudonym
    SOURCE = "source"  # the source's as it is


class Exported(StrEnum):
    """What of a run goes to other tools."""

    MASKS = "masks"
    TO_FIX = "to-fix"  # cases that a reviewer rejected or wants fixed
    CORRECTIONS = "corrections"  # a data set whose ground truth they are
    PAIRS = "pairs"  # a correction and the prediction that it began from


class ImportedInto(StrEnum):
    """What files of other tools become."""

    RUN = "run"
    CORRECTIONS = "corrections"


class SynthGenerator(StrEnum):
    """Ways to draw synthetic angiograms, by number. What one draws from a seed never changes."""

    FIRST = "1"
    SECOND = "2"


class SynthLayout(StrEnum):
    """Layouts that can be written."""

    PAIRED = "paired"
    SA2VA = "sa2va"
    COCO = "coco"
    LABELME = "labelme"
