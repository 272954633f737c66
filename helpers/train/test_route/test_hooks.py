"""Hooks of mmengine's Runner: weights through the kit's reader, pictures of cases, a progress bar."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.structures import BaseDataElement

from helpers.core.atomic import write_bytes_atomic
from helpers.core.errors import UsageProblem
from helpers.core.progress import Bar
from helpers.data.cases import Case, scored_pixels
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.metrics.overlap import count_pixels, overlap_scores
from helpers.review.figures.figure_file import png_bytes
from helpers.review.figures.panels import GroundTruth, PredictedMask, four_panel
from helpers.train.test_route.mmengine_scope import HOOKS


@HOOKS.register_module()
class ComposeHook(Hook):
    """Composes the model from `load_from` by the kit's reader, so that mmengine does not unpickle the checkpoint.

    mmengine would also load what fits and go on; the kit accounts for every tensor, as `vesselkit convert` does.
    """

    priority = "VERY_HIGH"

    def before_run(self, runner: Any) -> None:
        """Load before mmengine would.

        Raises:
            UsageProblem: where there are no weights at all, or two sources of them.
            RefusedInput: as `vesselkit convert`.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        # mmengine has no public way to say that the weights are there.
        given = runner._load_from
        if given is not None:
            checkpoint = Path(given).expanduser()
            if not checkpoint.exists():
                raise UsageProblem(f"load_from: expected a checkpoint, found none at {checkpoint}")
            model.compose(checkpoint)
            runner._has_loaded = True
        elif not model.has_weights:
            raise UsageProblem(
                "expected weights, got none: set model.model_dir to a folder that `vesselkit convert` wrote, or "
                "load_from to a checkpoint"
            )


@HOOKS.register_module()
class PanelHook(Hook):
    """Writes 4-panel pictures of the first cases into `panels` of the work folder, each named by its case id."""

    def __init__(self, count: int | None = 20):
        """Choose how many.

        Args:
            count: the first so many cases of the data set; None for all, 0 for none.
        """
        self._count = count
        self._cases: dict[str, Case] = {}

    def before_test_epoch(self, runner: Any) -> None:
        """Note the cases to draw."""
        cases = runner.test_dataloader.dataset.opened.cases[: self._count]
        self._cases = {case.case_id: case for case in cases}

    def after_test_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Mapping[str, Sequence[Frame]] | None = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Draw those of one batch; a frame that cannot be read has no picture."""
        folder = Path(runner.work_dir) / "panels"
        for element in outputs or ():
            case = self._cases.get(element.case_id)
            if case is not None:
                folder.mkdir(exist_ok=True)
                _draw(case, element, folder)


@HOOKS.register_module()
class ProgressHook(Hook):
    """Shows how many batches of this process are done."""

    def __init__(self) -> None:
        self._bar: Bar | None = None

    def before_test_epoch(self, runner: Any) -> None:
        """Start the bar, in the first process alone."""
        if is_main_process():
            self._bar = Bar("test", len(runner.test_dataloader), unit="batch")
            self._bar.begin()

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Go on by one batch."""
        if self._bar is not None:
            self._bar.update()

    def after_test_epoch(self, runner: Any, metrics: Any = None) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.end()


def _draw(case: Case, element: BaseDataElement, folder: Path) -> None:
    try:
        image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
    except UnreadableImage:
        return
    truth = None if case.truth is None else GroundTruth.of(case.truth, *image.size)
    scores = {}
    if truth is not None and element.mask is not None:
        kept = scored_pixels(truth.ignored)
        found = overlap_scores(count_pixels(kept(truth.mask), kept(element.mask)))
        scores = {"Dice": found["dice"], "IoU": found["iou"]}
    figure = four_panel(
        image,
        truth,
        None if element.mask is None else PredictedMask(element.mask),
        case_id=case.case_id,
        status=element.status,
        scores=scores,
    )
    write_bytes_atomic(folder / f"{case.case_id}.png", png_bytes(figure))
