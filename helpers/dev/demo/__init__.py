"""The model and frames of `make demo`: how they are made, where they are, and what they gave."""
