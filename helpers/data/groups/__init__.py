"""Which frames belong to one sequence and one patient, and in which order they were taken."""
