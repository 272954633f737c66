"""Choosing parameters on a development split. This package sees ground truth; inference cannot reach it."""
