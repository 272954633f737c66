"""From a checkpoint and its bases to a HuggingFace folder, with every tensor accounted for."""

from helpers.conversion.export import convert
from helpers.conversion.record import ConversionRecord, read_record
from helpers.conversion.request import ConversionRequest
from helpers.conversion.verification import VerificationReport, verify

__all__ = ["ConversionRecord", "ConversionRequest", "VerificationReport", "convert", "read_record", "verify"]
