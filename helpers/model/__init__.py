"""The Sa2VA model on transformers' own modules.

The modules of this package are copied into every exported folder, so they import torch, transformers, numpy and
pillow, each other by relative import, and nothing else.
"""
