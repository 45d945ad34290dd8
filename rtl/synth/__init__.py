"""Synthesis: what an Accelerator's RTL takes of an FPGA, how fast it is there, and its netlist."""

from rtl.synth.synthesis import SynthesisResult, synthesise

__all__ = ["SynthesisResult", "synthesise"]
