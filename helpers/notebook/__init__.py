"""Notebook parameters checked before work starts, and notebooks run without a browser."""
