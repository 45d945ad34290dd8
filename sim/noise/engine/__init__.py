"""Sums of products on noisy crossbars: chips, converters, and the digital half."""
