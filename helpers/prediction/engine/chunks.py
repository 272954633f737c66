"""How prompts, images and masks are shared out among passes through a part of the model."""

from collections.abc import Iterator, Sequence

# Most padding in a group of prompts, as a share of its real tokens. More costs more time than a second group does.
PADDING_ALLOWED = 0.1


def length_groups(lengths: Sequence[int], allowed: float) -> list[list[int]]:
    """Indices of prompts to compute together, so that little is padded.

    Args:
        lengths: tokens of each prompt, at least 1.
        allowed: most padding of a group, as a share of its real tokens.
    Returns:
        Groups in order of length, each in order of length and then index. They depend on the lengths alone.
    """
    groups: list[list[int]] = []
    real = 0
    for index in sorted(range(len(lengths)), key=lambda index: (lengths[index], index)):
        length = lengths[index]
        if groups and length * (len(groups[-1]) + 1) <= (1 + allowed) * (real + length):
            groups[-1].append(index)
            real += length
        else:
            groups.append([index])
            real = length
    return groups


def chunks(count: int, most: int) -> Iterator[slice]:
    """Slices of at most `most` (at least 1) that cover `count` things in order."""
    for start in range(0, count, most):
        yield slice(start, min(start + most, count))


def image_chunks(counts: Sequence[int], most: int) -> Iterator[list[int]]:
    """Indices of images, in order, in chunks of at most `most` of what they hold; an image is never split.

    Args:
        counts: what each image holds, at least 1. One with more than `most` gets a chunk of its own.
    """
    chunk: list[int] = []
    held = 0
    for index, count in enumerate(counts):
        if chunk and held + count > most:
            yield chunk
            chunk, held = [], 0
        chunk.append(index)
        held += count
    if chunk:
        yield chunk
