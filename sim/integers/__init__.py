"""The integers that a Program must give, in NumPy."""
