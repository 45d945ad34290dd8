"""The Program: the command set, its limits, and the proof that a Program neither hangs nor races."""
