"""The accelerator in Amaranth, one component a file, and the Verilog that FPGA and ASIC users receive.

Imports :mod:`arch_model` and :mod:`mapper`; the command encoding comes from the latter.
"""
