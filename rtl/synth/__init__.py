"""Synthesis: what an Accelerator's RTL takes of an FPGA, how fast it is there, and its netlist."""

from rtl.synth.synthesis import ULTRARAM, SynthesisResult, synthesise

__all__ = ["ULTRARAM", "SynthesisResult", "synthesise"]
