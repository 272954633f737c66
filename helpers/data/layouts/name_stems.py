"""Names of masks from those of their images: the same stem, or one with a prefix or suffix."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

# Words that an image's or a mask's name may have in front or behind, without blanks and punctuation.
_IMAGE_WORDS = frozenset(
    ("image", "images", "img", "im", "frame", "raw", "input", "orig", "original", "src", "source", "leftimg8bit")
)
_MASK_WORDS = frozenset(
    ("mask", "masks", "label", "labels", "gt", "groundtruth", "seg", "segmentation", "target", "annotation", "manual")
    + ("manual1", "1stmanual", "1stho", "vessel", "vessels", "output", "gtfine", "labelids", "labeltrainids")
)
# Nothing that could be part of what tells one frame from the next; the number of a channel is told by its width.
_AFFIX = re.compile(
    r"[^0-9]*|[_-]\d{4}|[_-]?[a-z]+\d?[_-]?|[_-]?\d(?:st|nd)[_-]?[a-z]+[_-]?|\d?leftimg8bit", re.IGNORECASE
)
_CHANNEL = re.compile(r"[_-]\d{4}")
_PROBES = 4


@dataclass(frozen=True)
class Affix:
    """What stands before and behind the part that the names of image and mask share, in one spelling."""

    image_start: str = ""
    image_end: str = ""
    mask_start: str = ""
    mask_end: str = ""

    def image_key(self, stem: str) -> str:
        return _without(stem, self.image_start, self.image_end)

    def mask_key(self, stem: str) -> str:
        return _without(stem, self.mask_start, self.mask_end)

    @property
    def marks_masks(self) -> bool:
        """Whether a mask's name alone tells it from an image's."""
        return bool(self.mask_start or self.mask_end)


SAME = Affix()


def affix_of(masks: Collection[str], images: Collection[str]) -> Affix | None:
    """What makes every mask's stem that of one image, each of another; None where nothing or more than one thing does.

    Of several channels of one image, `_0000` and `_0001`, the first is taken.

    Args:
        masks, images: stems as `comparable` gives them.
    """
    if _fits(SAME, masks, images):
        return SAME
    candidates = {affix for mask in sorted(masks)[:_PROBES] for affix in _candidates(mask, images)}
    fitting = sorted((affix for affix in candidates if _fits(affix, masks, images)), key=lambda affix: affix.image_end)
    of_channels = all(_CHANNEL.fullmatch(affix.image_end) for affix in fitting)
    return fitting[0] if fitting and (of_channels or len(fitting) == 1) else None


def shared(masks: Collection[str], images: Collection[str]) -> int:
    """How many masks have the stem of an image, by the affix that suits most of them."""
    candidates = {SAME, *(affix for mask in sorted(masks)[:_PROBES] for affix in _candidates(mask, images))}
    return max(
        len({affix.mask_key(mask) for mask in masks} & {affix.image_key(image) for image in images})
        for affix in candidates
    )


def _fits(affix: Affix, masks: Collection[str], images: Collection[str]) -> bool:
    wanted = [affix.mask_key(mask) for mask in masks]
    if affix.marks_masks and not all(_has(mask, affix.mask_start, affix.mask_end) for mask in masks):
        return False
    # An image without the affix may stand for itself, but not beside one with it.
    counts: dict[str, int] = {}
    for image in images:
        key = affix.image_key(image)
        counts[key] = counts.get(key, 0) + 1
    return len(set(wanted)) == len(wanted) and all(counts.get(key) == 1 for key in wanted)


def _candidates(mask: str, images: Collection[str]) -> Iterator[Affix]:
    """Affixes that turn the stem of some image into that of a mask."""
    for image in images:
        start = _shared_start(mask, image)
        ours, theirs = mask[start:], image[start:]
        if start and _tells_nothing(ours, theirs) and not _cuts_a_number(mask[:start], ours, theirs):
            yield Affix(image_end=theirs, mask_end=ours)
        end = _shared_start(mask[::-1], image[::-1])
        ours, theirs = mask[: len(mask) - end], image[: len(image) - end]
        backwards = (text[::-1] for text in (mask[len(mask) - end :], ours, theirs))
        if end and _tells_nothing(ours, theirs) and not _cuts_a_number(*backwards):
            yield Affix(image_start=theirs, mask_start=ours)


def _cuts_a_number(key: str, *affixes: str) -> bool:
    return key[-1].isdigit() and any(affix[:1].isdigit() for affix in affixes)


def _tells_nothing(mask: str, image: str) -> bool:
    """Whether two affixes tell masks from images rather than one frame from another."""
    if not (_AFFIX.fullmatch(mask) and _AFFIX.fullmatch(image)):
        return False
    if mask and image:
        return _word(mask) in _MASK_WORDS or _word(image) in _IMAGE_WORDS
    return True


def _word(affix: str) -> str:
    return re.sub(r"[\W_]+", "", affix)


def _shared_start(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _has(stem: str, start: str, end: str) -> bool:
    return stem.startswith(start) and stem.endswith(end) and len(stem) > len(start) + len(end)


def _without(stem: str, start: str, end: str) -> str:
    return stem[len(start) : len(stem) - len(end)] if _has(stem, start, end) else stem
