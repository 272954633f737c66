"""What turning a frame by 90 degrees does to clDice: thinning breaks ties by direction, so that centrelines differ.

Synthetic frames, each with two predictions: vesselness with its default settings, and the truth passed down to a grid
of a quarter of the frame and back. Truth and predictions are turned together, so that only directions change.
docs/metrics.md has the table. A minute or two: python -m helpers.dev.measure.turned_cldice
"""

import argparse

import numpy as np
from PIL import Image
from tqdm import tqdm

from helpers.dev.synthesis.sequence import draw_frame
from helpers.metrics.masks import crop_pair
from helpers.metrics.reference_bounds import through_grid
from helpers.metrics.topology import centreline_scores, skeleton
from helpers.prediction.frangi import Tuned, VesselnessPredictor

SEED = 7
FRAME = 6  # of a sequence, by when contrast has arrived in most
TURNS = 4


def turned(patients: int, size: int, progress: bool = False) -> np.ndarray:
    """clDice of both predictions at every turn, float64 (frames, 2, 4); frames without a vessel are left out."""
    predictor, found = VesselnessPredictor(Tuned()), []
    for patient in tqdm(range(1, patients + 1), desc=f"{size} px", disable=not progress):
        frame = draw_frame(SEED, patient, 1, FRAME, size)
        if not frame.mask.any():
            continue
        ((answer,),) = predictor.predict([predictor.prepare(Image.fromarray(frame.image).convert("RGB"))], ["vessel"])
        masks = (answer.logits[0] > 0, through_grid(frame.mask, size // 4))
        found.append([[cldice(frame.mask, mask, turns) for turns in range(TURNS)] for mask in masks])
    return np.array(found)


def cldice(truth: np.ndarray, prediction: np.ndarray, turns: int) -> float:
    """clDice of two masks (H, W), turned together so many times by 90 degrees."""
    truth, prediction = crop_pair(np.rot90(truth, turns), np.rot90(prediction, turns))
    return centreline_scores(truth, prediction, skeleton(truth), skeleton(prediction))["cldice"]


def table(found: dict[int, np.ndarray]) -> str:
    """What turning changes, as a Markdown table. `found`: size of the frames -> `turned`."""
    head = ["frames", "clDice of one frame, mean (largest)", "difference of two runs in one frame, mean (largest)"]
    lines = [[*head, "mean difference of the runs, as it is and at the other turns"], ["---"] * 4]
    for size, scores in found.items():
        differences = scores[:, 1] - scores[:, 0]
        one, paired = (np.abs(values[..., 1:] - values[..., :1]) for values in (scores, differences))
        cells = [f"{values.mean():.4f} ({values.max():.4f})" for values in (one, paired)]
        means = [f"{mean:.4f}" for mean in differences.mean(axis=0)]
        lines.append([f"{len(scores)} of {size} px", *cells, f"{means[0]}; {', '.join(means[1:])}"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512])
    asked = parser.parse_args()
    print(table({size: turned(asked.patients, size, progress=True) for size in asked.sizes}))


if __name__ == "__main__":
    main()
