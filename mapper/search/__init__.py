"""The best mapping of a layer, and the proof that it is the best."""
