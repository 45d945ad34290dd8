"""A machine by its registers, without one: what the driver does while a reset takes its time."""

from __future__ import annotations

import pytest

from rtl.driver import BusBroken, Device, DriverError
from rtl.driver.machine import Machine
from rtl.driver.registers import ADDRESS, FIELDS

RESETTING, GIVEN_UP = 0b1001, 0b10001


class Slow:
    """Registers of a machine whose reset is over, or has given up, after so many cycles."""

    def __init__(self, watchdog: int, cycles: float, end: int) -> None:
        self.left, self.end, self.watchdog, self.resetting = cycles, end, watchdog, False

    def read(self, offset: int) -> int:
        name = next(name for name, at in ADDRESS.items() if at == offset)
        if name == "STATUS":
            return (RESETTING if self.left > 0 else self.end) if self.resetting else 0
        waits = 1 << FIELDS["BUS"]["waits_wgt"][0] + 2
        return {"WATCHDOG": self.watchdog, "BUS": waits, "PORTS": 4 << 16 | 1 << 8 | 1}[name]

    def write(self, offset: int, value: int) -> None:
        self.resetting |= offset == ADDRESS["CTRL"] and bool(value & 2)

    def wait(self, cycles: int) -> None:
        self.left -= cycles


def machine(watchdog: int, cycles: float, end: int) -> Machine:
    device: Device = Slow(watchdog, cycles, end)  # type: ignore[assignment]  # nothing is allocated here
    return Machine(device)


@pytest.mark.parametrize("watchdog", [0, 1, 2000, 1 << 20, 1 << 24])
def test_a_reset_may_take_as_long_as_the_machine_itself_waits(watchdog: int) -> None:
    cycles = 100_000 + 2 * (watchdog or 1 << 20)
    machine(watchdog, cycles, 0).reset()
    with pytest.raises(BusBroken, match=r"no answer on m_axi_wgt2; assert aresetn") as seen:
        machine(watchdog, cycles, GIVEN_UP).reset()
    assert seen.value.ports == ("m_axi_wgt2",)


def test_one_that_never_ends_is_named() -> None:
    with pytest.raises(DriverError, match="reset does not end; load the bitstream anew"):
        machine(2000, float("inf"), 0).reset()
