"""The whole machine under a host that does not sit still: registers read and written while a Program runs."""

import random

import numpy as np
import pytest

from mapper.layout.dram_image import read_tensor
from rtl.registers import ADDRESS, COUNTERS
from sim.rtl_bench.bench import build
from sim.rtl_bench.rtl_device import RtlDevice
from sim.rtl_bench.simulators import find_simulator
from tests.machines import TINY
from tests.rtl.machine_jobs import Net

BUSY, DONE = 0b001, 0b010


class Host:
    """The network in DRAM, and registers by name."""

    def __init__(self, device: RtlDevice) -> None:
        self.device, self.net = device, Net(TINY)
        program = self.net.program
        for address, data in (*self.net.segments, (program.address, np.frombuffer(program.encode(), np.uint8))):
            device.write_dram(address, data.view(np.uint8))

    def read(self, name: str) -> int:
        return self.device.read(ADDRESS[name])

    def write(self, name: str, value: int) -> None:
        self.device.write(ADDRESS[name], value)

    def counters(self) -> dict[str, int]:
        return {register.name: self.read(register.name) for register in COUNTERS}

    def start(self) -> None:
        program = self.net.program
        for name, value in (("PROG_ADDR", program.address), ("PROG_BEATS", program.beats)):
            self.write(name, value)
        for name in ("BASE_0", "WGT_BASE_0"):
            self.write(name, 0)
        self.write("CTRL", 1)

    def finish(self) -> None:
        """Poll STATUS until the machine is not busy, a poll of more than a cycle for each cycle that a run takes."""
        for _ in range(self.net.cycles):
            if not self.read("STATUS") & BUSY:
                return
        raise AssertionError(f"still busy after {self.net.cycles} polls of STATUS")

    def assert_right(self) -> None:
        """Every integer of every tensor; then they are wiped out, so that the next run has to make them again."""
        memory = self.device.read_dram(0, self.net.program.address)
        first = self.net.program.weight_bytes
        for name, place in self.net.program.tensors.items():
            assert (read_tensor(memory, self.net.program, name) == self.net.expected[name]).all(), name
            if name != "input":
                first = max(first, place.address)
        self.device.write_dram(first, np.full(self.net.program.address - first, 0x5A, np.uint8))


@pytest.fixture(scope="module")
def host():
    with RtlDevice(build(TINY, find_simulator()), irq=False) as device:
        yield Host(device)


@pytest.fixture(scope="module")
def undisturbed(host):
    """The counters of a run that nobody looked at."""
    host.start()
    host.device.wait(10 * host.net.cycles)
    host.finish()
    host.assert_right()
    return host.counters()


@pytest.mark.parametrize("seed", range(2))
def test_what_a_host_does_while_a_program_runs_changes_nothing(seed, host, undisturbed):
    """Starts, other addresses, interrupts on and off; counters only grow, and end as those of a quiet run."""
    rng = random.Random(seed)
    print(f"seed {seed}")
    host.start()
    seen, last = 0, dict.fromkeys(undisturbed, 0)
    while host.read("CYCLES") < 0.9 * host.net.cycles:  # a start of a machine that is done would be one
        assert seen < host.net.cycles
        assert host.read("STATUS") == BUSY
        host.write(*rng.choice([("CTRL", 1), ("PROG_ADDR", rng.getrandbits(32)), ("PROG_BEATS", rng.getrandbits(20)),
                                ("BASE_0", rng.getrandbits(32)), ("WGT_BASE_0", rng.getrandbits(32)),
                                ("IRQ_ENABLE", rng.randrange(2)), ("IRQ_STATUS", 1), ("STATUS", 0xFF)]))  # fmt: skip
        counter = rng.choice(list(last))
        now = host.read(counter)
        assert last[counter] <= now <= undisturbed[counter]
        last[counter] = now
        seen += 1
    host.finish()
    assert host.read("STATUS") == DONE and seen > 50
    assert host.counters() == undisturbed
    host.assert_right()


def test_two_starts_one_after_the_other(host, undisturbed):
    """The second one, as soon as the first run is done, begins anew; one in the same run is ignored."""
    for _ in range(2):
        host.start()
        host.write("CTRL", 1)
        host.finish()
        assert host.counters() == undisturbed
    host.assert_right()
