"""From a checkpoint and its bases to a HuggingFace folder, with every tensor accounted for."""

from helpers.checkpoints.convert.conversion_record import ConversionRecord, read_record
from helpers.checkpoints.convert.export import convert
from helpers.checkpoints.convert.request import ConversionRequest

__all__ = ["ConversionRecord", "ConversionRequest", "convert", "read_record"]
