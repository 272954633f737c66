"""Case ids in place of names, the local map back to files, and signs of patient data."""
