"""Vesselness: a baseline that was never trained, from the curvature of the grey values."""
