"""Masks that one can read, and random vessel trees."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

SIDE = 9

# The same examples in every run, however slow the machine is.
steady = settings(derandomize=True, deadline=None)


def drawn(picture: str) -> np.ndarray:
    """The mask of a picture: `#` inside, `.` outside, one line a row."""
    return np.array([[pixel == "#" for pixel in row] for row in picture.split()])


def bar(height: int, width: int, *, rows: slice, columns: slice) -> np.ndarray:
    """A rectangle in an empty frame."""
    mask = np.zeros((height, width), bool)
    mask[rows, columns] = True
    return mask


def masks(side: int = SIDE) -> st.SearchStrategy[np.ndarray]:
    """Any mask of that size, empty and full ones included."""
    return arrays(bool, (side, side))


def filled_masks(side: int = SIDE) -> st.SearchStrategy[np.ndarray]:
    return masks(side).filter(np.any)


def vessel_tree(rng: np.random.Generator, side: int = 128) -> np.ndarray:
    """A trunk with side branches that bend and grow thinner, bool (side, side)."""
    rows, columns = np.mgrid[:side, :side]
    mask = np.zeros((side, side), bool)
    starts = [(side * 0.1, side * rng.uniform(0.3, 0.7), np.pi / 2, side * 0.03)]
    for _ in range(rng.integers(3, 6)):
        row, column, angle, radius = starts[rng.integers(len(starts))]
        for step in range(rng.integers(side // 4, side // 2)):
            mask |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
            angle += rng.normal(0, 0.12)
            row, column = row + 1.5 * np.sin(angle), column + 1.5 * np.cos(angle)
            radius = max(1.0, radius * 0.99)
            if step % 12 == 11:
                starts.append((row, column, angle + rng.choice([-0.8, 0.8]), max(1.0, radius * 0.7)))
    return mask


def faulty(tree: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A prediction of `tree` with holes, a shift and a false patch."""
    found = np.roll(tree, tuple(rng.integers(-2, 3, size=2)), axis=(0, 1))
    for _ in range(4):
        row, column = rng.integers(0, len(tree) - 8, size=2)
        found[row : row + 6, column : column + 6] = False
    row, column = rng.integers(0, len(tree) - 12, size=2)
    found[row : row + 3, column : column + 10] = True
    return found
