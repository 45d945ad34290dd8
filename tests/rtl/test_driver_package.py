"""What goes into a package: Programs that are free of races, the slots that switches leave, and what is refused."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import rtl.driver_package
from arch_model.errors import FastSwitchError, MappingError
from arch_model.network.supernet import SubGraph
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from rtl.driver import EMPTY
from rtl.driver_package import make_package, predicted_counters
from tests.rtl.driver.packages import DEEPER, FASHION, SMALL, TINY, WEIGHTS, fashion_package


def test_programs_begin_on_whole_bursts_and_end_where_the_next_begins() -> None:
    package = fashion_package()
    programs = [p for subnet in package.subnets.values() for p in subnet.programs.values()]
    programs += [p for row in package.switches.values() for p in row.values()]
    assert len(programs) == 2 * 3 + 3 * 3
    ends = {p.first + -(-p.beats * 4 // 64) * 64 for p in programs}  # beats of 4 bytes, bursts of 64
    assert {p.first for p in programs} | {len(package.programs)} == ends | {0}


def test_the_empty_program_is_the_compilers() -> None:
    package = make_package(FASHION, WEIGHTS, TINY, [SMALL])
    subnet = FASHION.subnet(SMALL)
    places = MemoryMap.build(FASHION, [subnet], TINY)
    program = compile_subnet(subnet, FASHION, TINY, WEIGHTS.subnets[SMALL].ops, places)
    packed = package.subnet(SMALL).programs[EMPTY]
    assert package.programs[packed.first :][: len(program.encode())].tobytes() == program.encode()
    assert packed.predicted == predicted_counters(program)
    assert packed.predicted["BEATS_WGT"] * 4 == program.dram_bytes["wgt"]
    assert (package.subnet(SMALL).logits_zero, package.pixel_offset) == (0, -128)


def test_the_same_input_gives_the_same_package() -> None:
    one, other = fashion_package(), fashion_package()
    assert one.subnets == other.subnets and one.switches == other.switches
    assert np.array_equal(one.weights, other.weights) and np.array_equal(one.programs, other.programs)


def test_what_no_package_can_hold_is_refused() -> None:
    whole = SubGraph.of(FASHION.subnet("fashion-d222-w444"), FASHION)
    with pytest.raises(FastSwitchError, match=f"SubNet fashion-d222-w222 has no integers .* give one of {SMALL}, "):
        make_package(FASHION, WEIGHTS, TINY, [SMALL, "fashion-d222-w222"])
    with pytest.raises(FastSwitchError, match="a package needs a SubNet"):
        make_package(FASHION, WEIGHTS, TINY, [])
    with pytest.raises(FastSwitchError, match="SubGraph empty is the PB's state after reset"):
        make_package(FASHION, WEIGHTS, TINY, [SMALL], {EMPTY: whole})
    with pytest.raises(MappingError, match=r"its \d+ weight tiles need \d+ bytes of the PB; tiny has 49152"):
        make_package(FASHION, WEIGHTS, TINY, [DEEPER], {"whole": whole})


def test_the_example_in_the_text_runs() -> None:
    assert doctest.testmod(rtl.driver_package).failed == 0
