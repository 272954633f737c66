"""What `vesselkit bench model` found, as one figure."""

from matplotlib.figure import Figure

from helpers.bench.result import GIB, ModelBench
from helpers.figures.style import look, new_figure, say


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
