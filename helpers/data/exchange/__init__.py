"""Masks in the formats of other tools, both ways and pixel for pixel (docs/exchange.md)."""
