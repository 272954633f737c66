"""A tiny checkpoint in the official layout, built from a seed: for `make demo` and for the tests' fixture.

Its weights, tokenizer and images are the kit's own. Its masks mean nothing clinically.
"""
