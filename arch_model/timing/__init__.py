"""When everything happens: the cycles of a Program's commands."""
