"""Masks and probabilities of other programs or people, made into run folders."""
