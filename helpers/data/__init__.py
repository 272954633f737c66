"""Data sets: frames under case ids that say nothing of the patient, and their ground truth where there is one."""
