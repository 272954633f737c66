"""The regression gate: later scores held against recorded ones."""
