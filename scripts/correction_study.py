"""What training on corrected masks, and carrying one through its sequence, does on synthetic patients.

    python -m scripts.correction_study STEP FOLDER

`train` fine-tunes the demo model on FOLDER/corrected, which `python -m scripts.correcting_reader FOLDER` leaves: masks
of patients A, corrected in the viewer. It scores the model before and after on patients B, whom nobody corrected.

`carry` trains SAM2's memory, which the demo model lacks, and carries one corrected frame through sequences of 34 frames
of other patients.

Both want a GPU. A step that was stopped goes on where it was.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from helpers.core.paths import shipped
from helpers.core.progress import track
from helpers.core.vocabulary import SynthLayout
from helpers.data.cases import Case
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.dev.demo.tiny_files import DemoCheckpoint
from helpers.dev.measure.sequence_training import Film, train_memory
from helpers.dev.synthesis.data_set_writing import Recipe, write_dataset
from helpers.dev.synthesis.sequence_parameters import Split
from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.model.image_mode import to_rgb
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.engine.sam2_part import Sam2Part
from helpers.prediction.run import DEFAULT_PROMPT
from helpers.prediction.sequences.mask_carrying import MaskCarrier
from helpers.review.films.film_frame import sequence_cases
from helpers.runs.run_folder import Run
from helpers.stages.convert_stage import convert
from helpers.stages.evaluate_stage import evaluate
from helpers.stages.predict_stage import predict
from helpers.train.fine_tuning.fine_tune import run_training

MODEL = DemoCheckpoint(shipped(Path("helpers/dev/demo/files/model")))
SIDE = 512
# Seeds that no recipe of the demo model draws from; of the first a sixth is drawn, of the second two thirds.
B = Recipe(120, 2, 4, 5001, SIDE, (Split.TEST,))
REMEMBERED = Recipe(36, 1, 24, 5002, SIDE, (Split.TRAIN,))
CINES = Recipe(72, 1, 34, 5003, SIDE, (Split.TEST,))
PROMPT = "p1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("train", "carry"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--iterations", type=int, default=200, help="of the training on corrected masks")
    parser.add_argument("--steps", type=int, default=800, help="of the memory's training")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    {"train": train, "carry": carry}[given.step](given, demo_model(given.folder))


def demo_model(folder: Path) -> Path:
    """The demo model, converted in a folder of the study where it is missing."""
    model = folder / "model"
    if not model.is_dir():
        convert(MODEL.checkpoint, model, base=MODEL.base, sam2=MODEL.sam2, sam2_config=str(MODEL.sam2_sizes))
    return model


def drawn(recipe: Recipe, folder: Path, processes: int) -> Path:
    """The data set of a recipe, drawn where it is missing."""
    if not folder.is_dir():
        write_dataset(recipe, SynthLayout.PAIRED, folder, processes=processes)
    return folder


# Training on what was corrected.


def train(given: argparse.Namespace, model: Path) -> None:
    folder, data = given.folder, drawn(B, given.folder / "b", given.processes)
    after = folder / "model-after"
    if not after.is_dir():
        last = run_training(
            shipped(Path("helpers/train/configs/train_sa2va.py")),
            work_dir=folder / "training",
            resume=True,
            options=_options(folder / "corrected", model, given.iterations),
        )
        convert(last, after, base=MODEL.base, sam2=MODEL.sam2, sam2_config=str(MODEL.sam2_sizes), pretrained=model)
    runs = [predict(one, data, folder / f"run-b-{one.name}") for one in (after, model)]
    found = evaluate(runs, data, folder / "scores-b", names=["after", "before"], processes=given.processes)
    print(headline(found.text))


def _options(data: Path, model: Path, iterations: int) -> dict[str, Any]:
    return {
        "model.mllm.model_path": str(MODEL.base),
        "model.mllm.llm_lora": {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0},
        "model.grounding_encoder.ckpt_path": str(MODEL.sam2),
        "model.grounding_encoder.cfg_path": str(MODEL.sam2_sizes),
        "model.pretrained_pth": str(model),
        "train_dataloader.dataset.data": str(data),
        "train_dataloader.dataset.mask_side": SIDE,
        "train_dataloader.batch_size": 16,
        "train_cfg.max_iters": iterations,
        "optim_wrapper.optimizer.lr": 3e-4,
        "param_scheduler.0.end": iterations // 10,
        "param_scheduler.1.begin": iterations // 10,
        "param_scheduler.1.end": iterations,
        "param_scheduler.1.eta_min": 3e-6,
        "default_hooks.checkpoint.interval": iterations,
    }


def headline(text: str) -> str:
    """A summary without the definitions of its metrics."""
    return text[: text.index("## Definitions")]


# Carrying one correction through its sequence.


def carry(given: argparse.Namespace, folder_of_model: Path) -> None:
    folder = given.folder
    for recipe, name in ((REMEMBERED, "remembered"), (CINES, "cines")):
        drawn(recipe, folder / name, given.processes)
    model, tokenizer = load_model(folder_of_model, "auto", "float32")
    trained = folder / "memory.pt"
    if not trained.is_file():
        cases = list(sequence_cases(open_dataset(folder / "remembered")).values())
        films = [Film(model, tokenizer, one, DEFAULT_PROMPT) for one in track(cases, "encode", unit="sequence")]
        train_memory(model, films, given.steps, 0)
        torch.save(model.state_dict(), trained)
    model.load_state_dict(torch.load(trained, map_location=model.device, weights_only=True))
    part = Sam2Part(model.sam2, model.config.sam2_pixel_constants, {"name": "demo with a trained memory"})
    run, rows = predict(folder_of_model, folder / "cines", folder / "run-cines"), []
    for cases in track(list(sequence_cases(open_dataset(folder / "cines")).values()), "carry", unit="sequence"):
        rows += carried(MaskCarrier(part), run, cases)
    table = pd.DataFrame(rows)
    table.to_csv(folder / "carried.csv", index=False)
    print(shares(table))


def carried(carrier: MaskCarrier, run: Run, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Scores of each frame but the corrected one, that of which the truth is largest, carried and predicted alone."""
    truths = [case.truth.mask(SIDE, SIDE) for case in cases if case.truth is not None]
    images = [to_rgb(read_frame(case.frame.path, case.frame.index, case.frame.bits)) for case in cases]
    anchor = int(np.argmax([truth.sum() for truth in truths]))
    rows = []
    for place, mask in carrier.carry(images.__getitem__, len(images), {anchor: truths[anchor]}):
        for way, one in (("carried", mask), ("predicted", run.mask(cases[place].case_id, PROMPT))):
            found = score_case(CaseArrays(cases[place].case_id, truths[place], one)).values
            rows.append(
                {
                    "patient": cases[place].frame.patient,
                    "way": way,
                    "away": abs(place - anchor),
                    "vessel": bool(truths[place].any()),
                    "dice": found["dice"],
                    "nsd": found["nsd_2px"],
                }
            )
    return rows


def shares(table: pd.DataFrame) -> str:
    """Of frames with vessels: how many are right without a touch, by the mean of patients and with their number."""
    with_vessel = table[table["vessel"]].assign(right=lambda one: one["nsd"] >= 0.95)
    lines = [
        f"{table['patient'].nunique()} patients, {len(with_vessel) // 2} frames with vessels, corrected ones aside; "
        f"{(~table['vessel']).sum() // 2} frames without contrast, empty in the truth"
    ]
    for way, of_way in with_vessel.groupby("way"):
        for name, part in (("all", of_way), ("up to 3 frames away", of_way[of_way["away"] <= 3])):
            means = part.groupby("patient")[["right", "dice", "nsd"]].mean()
            lines.append(
                f"{way}, {name}: right (95 % of both outlines within 2 pixels) {means['right'].mean():.3f}, Dice "
                f"{means['dice'].mean():.3f}, NSD {means['nsd'].mean():.3f}; {len(part)} frames, {len(means)} patients"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
