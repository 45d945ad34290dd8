"""Which weights suffer from noise, and how much accuracy is left."""
