"""Files that users give and files that they receive: what is read is checked, what is written is whole.

One checked reader for each format, with a budget on everything that a file can claim.

A reader answers with plain values, or with one line that names the file, the place and what would be right. It never
runs what a file holds, never allocates what a file merely claims to hold, and never shows more of a value than a line.
Nothing else in the project opens these formats (``tests/arch_model/files/test_one_door.py``). ONNX models are read by
:mod:`mapper.importers.onnx.file`, in the same way.
"""
