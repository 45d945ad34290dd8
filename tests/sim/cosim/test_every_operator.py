"""The network of every operator, as the NumPy machine runs it; test_configurations.py runs it on the RTL."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind
from arch_model.program.check import check_program
from mapper.layout.dram_image import program_segment, read_tensor, write_segments
from sim.cosim.every_operator import Case, fits, network, takes_channelwise
from sim.integers.program_interpreter import Machine

TINY = Accelerator.load("tiny")
TALL = TINY.replace(array={"kp": 8, "cp": 1}, buffers={"zsb_bytes": 2_048})


def test_no_channel_count_fills_tiles_or_groups():
    for part in (True, False):
        _, subnet = network(part)
        for layer in subnet.layers:
            assert layer.K % 4 and layer.K % 3, layer.name


def test_machines_whose_k_tiles_touch_many_groups_have_no_channelwise_layer():
    assert TALL.nb == 8 and not takes_channelwise(TALL) and takes_channelwise(TINY)
    _, subnet = network(channelwise=False)
    assert not {layer.kind for layer in subnet.layers} & {Kind.MAXPOOL, Kind.AVGPOOL, Kind.SCALE, Kind.MUL}
    assert all(layer.groups == 1 for layer in subnet.layers)


@pytest.mark.parametrize("machine", [TINY, TALL, TINY.replace(buffers={"pb_bytes": 0})], ids=["tiny", "tall", "no-pb"])
def test_programs_compute_the_reference_one_after_the_other(machine):
    case = Case.of(machine, seed=3)
    assert len(case.programs) == (2 if machine.pb_tiles else 1)
    numpy_machine = None
    for program in case.programs:
        check_program(program)
        dram = np.zeros(machine.dram.bytes, np.uint8)
        write_segments(dram, [*case.segments, program_segment(program)])
        if numpy_machine is None:
            numpy_machine = Machine(machine, dram, 4)
        else:
            numpy_machine.dram = dram
        numpy_machine.run(program.address, len(program.encode()))
        for name in program.tensors:
            assert np.array_equal(read_tensor(dram, program, name), case.expected[name]), name
            assert name == INPUT or len(np.unique(case.expected[name])) >= 3, name
    weights = [program.dram_bytes["wgt"] for program in case.programs]
    assert len(weights) == 1 or weights[1] < weights[0]


def test_a_machine_that_is_too_small_does_not_fit():
    assert fits(TINY)
    assert not fits(TINY.replace(buffers={"zsb_bytes": 64}))
