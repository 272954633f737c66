"""Configs for mmengine's Runner. They are read by path and never imported."""
