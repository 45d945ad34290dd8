"""The accelerator: its sizes, its memories, its process, and the file that describes it."""
