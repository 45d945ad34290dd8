"""Names and numbers of the DRAM's faults are those of sim/rtl_bench/verilog/dram.v."""

import re

import pytest

from sim.rtl_bench.bench_build import VERILOG
from sim.rtl_bench.faults import Fault, port_indices


def test_dram_knows_these_numbers_and_no_others():
    text = (VERILOG / "dram.v").read_text()
    named = {int(number) for number in re.findall(r"\b[A-Z_]+ = (\d+)[,;]", "".join(
        line for line in text.splitlines() if "localparam [4:0]" in line
    ))}  # fmt: skip
    assert named == {0, *Fault} - {Fault.COUNTED}


@pytest.mark.parametrize(("stripes", "weight_stripes"), [(1, 1), (2, 4), (4, 1)])
def test_each_port_has_a_number_of_its_own(stripes, weight_stripes):
    reads, writes = (port_indices(stripes, weight_stripes, writes=w) for w in (False, True))
    assert [*reads.values(), *writes.values()] == list(range(1 + weight_stripes + 3 * stripes))
    assert set(writes) < set(reads)
