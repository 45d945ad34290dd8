"""The Verilog of an array by itself, as the whole machine's is made."""

from amaranth import Module
from amaranth.back import rtlil
from amaranth.back.verilog import _convert_rtlil_text


def verilog_of(component) -> str:
    top = Module()
    top.submodules.dut = component
    ports = [getattr(component, name) for name in ("load_en", "load_data", "swap", "window")]
    text = rtlil.convert(top, ports=[*ports, *component.sums], name="top", emit_src=False)
    return _convert_rtlil_text(text, strip_internal_attrs=True)
