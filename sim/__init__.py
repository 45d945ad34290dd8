"""Running things: the NumPy reference, the cocotb bench and its simulators, DRAM, query streams.

Imports :mod:`arch_model`, :mod:`mapper` and :mod:`rtl`.
"""
