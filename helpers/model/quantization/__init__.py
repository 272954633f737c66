"""Linear layers whose weights are stored in 8 or 4 bits and computed in the model's own dtype."""
