"""Verilog whose memories hold something at time 0, as real ones do."""

from __future__ import annotations

import re


def with_random_memories(verilog: str) -> str:
    """Return Yosys's Verilog with every memory full of random bits at time 0, the same ones in each run.

    A simulator with four states fills them with X, and X times a weight of 0 is X: a sum with a lane that no tensor has
    would be unknown where hardware gives the right one, whatever that lane holds.

    >>> print(with_random_memories("  reg [39:0] memory [319:0];"))
      reg [39:0] memory [319:0];
      integer at$memory;
      initial for (at$memory = 0; at$memory < 320; at$memory = at$memory + 1)
        memory[at$memory] = {2{$random}};
    """

    def filled(match: re.Match[str]) -> str:
        width, name, depth = int(match[1]) + 1, match[2], int(match[3]) + 1
        at, words = f"at${name}", -(-width // 32)
        loop = f"initial for ({at} = 0; {at} < {depth}; {at} = {at} + 1)"
        return f"{match[0]}\n  integer {at};\n  {loop}\n    {name}[{at}] = {{{words}{{$random}}}};"

    return re.sub(r"^ *reg \[(\d+):0\] ([a-z]\w*) \[(\d+):0\];$", filled, verilog, flags=re.MULTILINE)
