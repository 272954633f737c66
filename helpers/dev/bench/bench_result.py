"""Results of `vesselkit dev bench model`, as JSON, as a table and as a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from matplotlib.figure import Figure

from helpers.dev.bench.file_rate import FilesBench
from helpers.dev.bench.sequence_rate import SequenceBench
from helpers.dev.bench.timing import Latency
from helpers.prediction.engine.dtypes import DTYPES
from helpers.review.figures.style import look, new_figure, say

GIB = 1 << 30


@dataclass(frozen=True)
class Machine:
    """What was measured on.

    Attributes:
        device: name of the GPU, or of the kind of device.
        threads: of the processor, that PyTorch uses.
        ceiling: operations a second of a large matrix product in the model's dtype.
        memory_cap: bytes that the process was allowed on the device; None for all.
    """

    device: str
    threads: int
    torch: str
    transformers: str
    ceiling: float
    memory_cap: int | None


@dataclass(frozen=True)
class ImageBench:
    """Measurements with images of one size.

    Attributes:
        side: of the square image in pixels.
        tiles, tokens: of the vision tower, and of the prompt.
        operations: by stage, of one image.
        latencies: of one image by the way of computing, from an image in memory to its mask.
        stages: seconds of each part of one image computed in one pass.
        peak_alone: most bytes on the device with one image at a time and single launches.
        rates: images a second by batch size, from images in memory to their masks, by the last of the ways.
        peaks: most bytes on the device, by batch size.
    """

    side: int
    tiles: int
    tokens: int
    operations: Mapping[str, int]
    latencies: Mapping[str, Latency]
    stages: Mapping[str, float]
    peak_alone: int
    rates: Mapping[int, float]
    peaks: Mapping[int, int]

    @property
    def total_operations(self) -> int:
        return sum(self.operations.values())


@dataclass(frozen=True)
class ModelBench:
    """All measurements of one model.

    Attributes:
        dtype: of the weights, as `--dtype` calls it.
        quantization: of the language model's weights; None where they are of the dtype.
        answer: that the random weights were made to give.
        answer_tokens: its number of tokens.
        weights: bytes of all weights.
        finite: whether all logits were finite.
        files, sequence: None where they were not measured.
        out_of_memory: batch sizes that did not fit.
    """

    preset: str
    dtype: str
    quantization: str | None
    machine: Machine
    answer: str
    answer_tokens: int
    weights: int
    finite: bool
    images: Sequence[ImageBench]
    files: FilesBench | None
    sequence: SequenceBench | None
    out_of_memory: Sequence[int]

    @property
    def batched_rate(self) -> float:
        """Images a second of the first image size with the fastest batch size; 0 where none fitted."""
        return max(self.images[0].rates.values(), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """A JSON object."""
        found = asdict(self)
        if self.files is not None and self.batched_rate:
            found["files"]["share_of_batched"] = self.files.rate / self.batched_rate
        for values, image in zip(found["images"], self.images, strict=True):
            values["total_operations"] = image.total_operations
            values["share_of_ceiling"] = {
                str(size): rate * image.total_operations / self.machine.ceiling for size, rate in image.rates.items()
            }
        return found

    def to_text(self) -> str:
        """Tables for people, with what they rest on."""
        machine = self.machine
        capped = "" if machine.memory_cap is None else f", memory capped at {machine.memory_cap / GIB:.0f} GiB"
        kind = DTYPES[self.dtype].described
        kind = kind if self.quantization is None else f"{kind} with {self.quantization} language model"
        lines = [
            f"{self.preset}, {kind}: random weights, {self.weights / GIB:.2f} GiB; {machine.device}{capped}, "
            f"{machine.threads} threads, torch {machine.torch}, transformers {machine.transformers}",
            f"the answer is forced, since random weights give none: {self.answer!r}, {self.answer_tokens} tokens, "
            "one mask",
            f"matrix product of the same dtype: {machine.ceiling / 1e12:.3g} TFLOP/s",
        ]
        for image in self.images:
            lines += ["", *self._image_lines(image)]
        if self.files is not None:
            lines += ["", *self.files.to_lines(self.batched_rate)]
        if self.sequence is not None:
            lines += ["", *self.sequence.to_lines()]
        if self.out_of_memory:
            lines.append(f"batches that did not fit in memory: {', '.join(map(str, self.out_of_memory))}")
        lines.append("all logits finite" if self.finite else "NOT ALL LOGITS ARE FINITE: do not use this dtype")
        return "\n".join(lines)

    def _image_lines(self, image: ImageBench) -> list[str]:
        total = image.total_operations
        lines = [
            f"{image.side} x {image.side}, {image.tiles} {'tile' if image.tiles == 1 else 'tiles'}, {image.tokens} "
            f"prompt tokens, {total / 1e12:.3g} TFLOP an image",
            f"  {'one image':<32} {'p50':>9} {'p95':>9} {'least':>9}   (ms) {'of product':>10}",
        ]
        for name, found in image.latencies.items():
            share = total / found.p50 / self.machine.ceiling
            lines.append(
                f"  {name:<32} {1e3 * found.p50:>9.1f} {1e3 * found.p95:>9.1f} {1e3 * found.least:>9.1f}"
                f"        {share:>10.1%}"
            )
        spent = sum(image.stages.values())
        if spent:
            parts = ", ".join(f"{name} {1e3 * seconds:.1f}" for name, seconds in image.stages.items())
            lines.append(f"  stages of one pass, waiting for each (ms): {parts}; together {1e3 * spent:.1f}")
        lines.append(f"  most memory with one image at a time: {image.peak_alone / GIB:.2f} GiB")
        lines.append(f"  {'batch':<8} {'images/s':>9} {'ms an image':>12} {'of product':>11} {'peak GiB':>9}")
        for size, rate in image.rates.items():
            share = rate * total / self.machine.ceiling
            lines.append(f"  {size:<8} {rate:>9.2f} {1e3 / rate:>12.1f} {share:>11.1%} {image.peaks[size] / GIB:>9.2f}")
        return lines


def bench_figure(found: ModelBench) -> Figure:
    """Latency of each way, stages of one pass, and throughput with memory by batch size; the first image size."""
    image = found.images[0]
    kind = found.dtype if found.quantization is None else f"{found.dtype}, {found.quantization}"
    figure = new_figure(
        11,
        3.6,
        f"{found.preset} ({kind}), random weights and a forced answer, {image.side} x {image.side}",
        f"{found.machine.device}, torch {found.machine.torch}",
    )
    ways, stages, batches = figure.subplots(1, 3)

    names = list(image.latencies)
    values = [1e3 * image.latencies[name].p50 for name in names]
    tops = [1e3 * (image.latencies[name].p95 - image.latencies[name].p50) for name in names]
    bars = ways.barh(names, values, xerr=[[0] * len(tops), tops], color=look(0).colour)
    ways.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    ways.invert_yaxis()
    ways.set_xlabel("one image: p50, whisker to p95 (ms)")

    parts = [name for name, seconds in image.stages.items() if seconds > 0]
    bars = stages.barh(parts, [1e3 * image.stages[name] for name in parts], color=look(2).colour)
    stages.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    stages.invert_yaxis()
    stages.set_xlabel("stages of one pass (ms)")

    if not image.rates:
        say(batches, "no batch fitted in memory")
        return figure
    sizes = list(image.rates)
    rate, memory = look(0), look(1)
    batches.plot(sizes, list(image.rates.values()), color=rate.colour, marker=rate.marker)
    batches.set_xlabel("batch size")
    batches.set_ylabel("images/s", color=rate.colour)
    batches.set_ylim(bottom=0)
    beside = batches.twinx()
    beside.plot(
        sizes, [image.peaks[size] / GIB for size in sizes], memory.dashes, color=memory.colour, marker=memory.marker
    )
    beside.set_ylabel("most memory (GiB)", color=memory.colour)
    beside.set_ylim(bottom=0)
    for axis in (ways, stages):
        axis.margins(x=0.3)  # room for the labels
    for axis in (ways, stages, batches, beside):
        axis.tick_params(labelsize=8)
    return figure
