"""Test helper: a small residual network as a job for a Bench, and what the job must leave in DRAM."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT
from arch_model.program.isa import Command
from arch_model.timing.reference_timing import time_program
from mapper.layout.dram_image import image_segment, read_tensor, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from mapper.lowering.placement import candidates, place
from mapper.workload.fusion import steps
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Job, JobResult, Memory
from sim.rtl_bench.striping import Striping
from tests.sim.random_nets import random_residual_net


class Net:
    """A random residual network on a machine: every unit and every port has work.

    ``on_chip``: with all tensors in the SB that find room there.
    """

    def __init__(self, accelerator: Accelerator, seed: int = 2, *, on_chip: bool = False) -> None:
        rng = np.random.default_rng(seed)
        supernet, subnet, weights, quant = random_residual_net(rng)
        places = MemoryMap.build(supernet, [subnet], accelerator)
        self.accelerator = accelerator
        made = steps(subnet.layers)
        placement = place(made, accelerator, candidates(made, accelerator)) if on_chip else None
        self.program = compile_subnet(subnet, supernet, accelerator, quant, places, placement=placement)
        first = subnet.layers[0]
        image = rng.integers(-128, 128, (first.C, first.H, first.W), dtype=np.int8)
        striping = Striping(Memory.of(accelerator), self.program.weight_bytes)
        self.segments = tuple(
            (address, striping.whole_beats(address, data))
            for address, data in (
                *weights_segments(places, weights),
                *zsb_segments(places, subnet, weights, quant),
                image_segment(places, subnet, image),
            )
        )
        self.expected = {INPUT: image, **run_layers(subnet.layers, weights, quant, image)}
        self.cycles = time_program(self.program.commands, accelerator).cycles

    def job(self, **changes) -> Job:
        """The whole network, with some of the job's fields changed."""
        program = self.program
        job = Job(
            program_address=program.address,
            program_beats=program.beats,
            program=program.encode(),
            segments=self.segments,
            weight_bytes=program.weight_bytes,
            dump=(0, program.address),
            watchdog_cycles=6 * self.cycles + 10_000,
            predicted_cycles=self.cycles,
        )
        return replace(job, **changes)

    def edited(self, at: int, **fields: int) -> bytes:
        """The Program with some fields of one command changed."""
        commands = list(self.program.commands)
        commands[at] = Command(commands[at].opcode, {**commands[at].fields, **fields})
        return replace(self.program, commands=tuple(commands)).encode()

    def assert_right(self, result: JobResult) -> None:
        """Every integer of every tensor in DRAM, no error, and the cycles that were predicted but for 1 %."""
        assert result.error_code == 0 and result.status == 0b010
        for name in self.program.stored:
            assert (read_tensor(result.memory, self.program, name) == self.expected[name]).all(), name
        assert abs(result.cycles - self.cycles) <= 0.01 * self.cycles
