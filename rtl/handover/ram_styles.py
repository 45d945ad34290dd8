"""Which RAM each memory of the delivered Verilog is built of, said by the attribute ``ram_style``.

Without it a tool guesses, and a guess of block RAMs for the Persistent Buffer of ``zcu104`` is 360 of the 312 that
there are. Vivado (AMD UG901, "RAM_STYLE") and Yosys read the attribute; other tools pass over it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from arch_model.cost.fit import Fit, Shape, Style, shape_of
from arch_model.machine.memories import memories

_MODULE = re.compile(r"^module fastswitch_block_memory_\w+\(.*?^endmodule", re.MULTILINE | re.DOTALL)
_MEMORY = re.compile(r"^  reg \[(\d+):0\] memory \[(\d+):0\];", re.MULTILINE)
_ENABLES = re.compile(r"^  input (?:\[(\d+):0\] )?write_en;", re.MULTILINE)


def styles_by_shape(fit: Fit) -> dict[Shape, Style]:
    """The style of each memory module of a machine, by its words, bits of a word and bits of a write enable.

    Parameters
    ----------
    fit : of the machine on its device.
    """
    return {shape_of(memory): fit.styles[name] for name, memory in memories(fit.accelerator).items()}


def with_ram_styles(text: str, styles: Mapping[Shape, Style]) -> str:
    """The Verilog with an attribute at the array of every memory whose shape is known.

    Parameters
    ----------
    text : Verilog of :func:`rtl.generate.verilog`.
    styles : by shape.

    Examples
    --------
    >>> module = '''module fastswitch_block_memory_4096x72(write_en);
    ...   input [8:0] write_en;
    ...   reg [71:0] memory [4095:0];
    ... endmodule'''
    >>> print(with_ram_styles(module, {(4096, 72, 8): "block", (4096, 72, 72): "ultra"}))
    module fastswitch_block_memory_4096x72(write_en);
      input [8:0] write_en;
      (* ram_style = "block" *)
      reg [71:0] memory [4095:0];
    endmodule
    """

    def styled(match: re.Match[str]) -> str:
        module = match[0]
        array, enables = _MEMORY.search(module), _ENABLES.search(module)
        if array is None or enables is None:
            return module
        width, depth = int(array[1]) + 1, int(array[2]) + 1
        style = styles.get((depth, width, width // (int(enables[1] or 0) + 1)))
        if style is None:
            return module
        return f'{module[: array.start()]}  (* ram_style = "{style}" *)\n{module[array.start() :]}'

    return _MODULE.sub(styled, text)
