"""Accuracy under analog noise: Monte Carlo over chips, by a fast engine and by one that makes every conversion."""
