"""One machine by its registers: is it the right one, run a Program, what went wrong, what was counted."""

from __future__ import annotations

from .device import Device
from .errors import BusBroken, ConfigurationError, DriverError, MachineError, MachineTimeout
from .package import MachineShape
from .registers import ADDRESS, COUNTERS, ERRORS, FIELDS, IDENTITY, UNIT_ERRORS

RESET_LOOKS, RESET_CYCLES = 1000, 1000
"""STATUS is read so often, at most so many cycles apart, and three times as long as the machine itself waits."""

RESET_PATIENCE = 1 << 20
"""Cycles without a move after which a reset gives up where WATCHDOG is 0; else as many as that says."""


class Machine:
    """The registers of a device, by name."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._stuck = False

    def read(self, register: str) -> int:
        """A register's value."""
        return int(self.device.read(ADDRESS[register]))

    def fields(self, register: str) -> dict[str, int]:
        """A register's fields by name."""
        value = self.read(register)
        return {name: value >> low & (1 << width) - 1 for name, (low, width) in FIELDS[register].items()}

    def write(self, register: str, value: int) -> None:
        """Write a register.

        Parameters
        ----------
        register : its name.
        value : 32 bits.
        """
        self.device.write(ADDRESS[register], int(value))

    def command(self, name: str) -> None:
        """Give a command to CTRL."""
        self.write("CTRL", 1 << FIELDS["CTRL"][name][0])

    def check(self, shape: MachineShape) -> None:
        """Refuse a machine of another shape.

        Raises
        ------
        ConfigurationError
            ID, SHAPE or PORTS say something else.
        """
        identity = self.read("ID")
        if identity != IDENTITY:
            raise ConfigurationError(f"ID is 0x{identity:08x}, not 0x{IDENTITY:08x}: no FastSwitch at this address")
        for name, value in {**self.fields("SHAPE"), **self.fields("PORTS")}.items():
            if value != (wanted := getattr(shape, name)):
                raise ConfigurationError(
                    f"the machine has {name} {value}; the package is for {shape.name} with {name} {wanted}"
                )

    def reset(self) -> None:
        """Reset everything but the registers that software writes. Transfers under way end first.

        Raises
        ------
        BusBroken
            They do not end: memory owes an answer, and only ``aresetn`` of machine and interconnect helps, or a reset
            once it has answered after all.
        DriverError
            The machine stays in its reset.
        """
        self.write("IRQ_ENABLE", 0)
        patience = self.read("WATCHDOG") or RESET_PATIENCE
        self.command("reset")
        for _ in range(RESET_LOOKS + 3 * patience // RESET_CYCLES):
            status = self.fields("STATUS")
            if not status["resetting"]:
                break
            self.device.wait(RESET_CYCLES)
        else:
            raise DriverError("the machine's reset does not end; load the bitstream anew")
        self._stuck = bool(status["broken"])
        if status["broken"]:
            raise BusBroken(self.ports("waits"))

    def run(self, address: int, beats: int, limit: int, what: str) -> dict[str, int]:
        """Run a Program; returns all counters by name.

        Parameters
        ----------
        address : physical, of its first beat.
        beats : of the Program.
        limit : cycles.
        what : names the Program in errors.

        Raises
        ------
        DriverError
            An earlier Program is not over; :meth:`reset` ends it.
        MachineError
            STATUS has an error.
        MachineTimeout
            ``limit`` cycles are over.
        """
        if self._stuck or self.fields("STATUS")["busy"]:
            raise DriverError(f"{what}: the machine is busy with an earlier Program; reset it")
        self.write("PROG_ADDR", address)
        self.write("PROG_BEATS", beats)
        self.write("IRQ_STATUS", 1)
        self.write("IRQ_ENABLE", 1)
        self.command("start")
        status = self._wait(limit, what)
        counted = self.counters()
        if not status["error"]:
            status = self.fields("STATUS")  # a beat or a response that nobody asked for may come last of all
            self._stuck = bool(status["error"])
        if status["error"]:
            ports = self.ports("waits" if ERRORS.get(status["code"], ("",))[0] == "STUCK" else "broke")
            raise MachineError(status["code"], self.read("ERROR_COMMAND"), self._stuck, what, ports)
        return counted

    def ports(self, what: str) -> tuple[str, ...]:
        """Ports that, by the register BUS, broke AXI's rules (``broke``) or owe an answer (``waits``)."""
        bits, counts = self.fields("BUS"), self.fields("PORTS")
        several = {"prog": 1, "wgt": counts["weight_stripes"], "act": counts["stripes"], "out": counts["stripes"]}
        return tuple(
            f"m_axi_{name}" if count == 1 else f"m_axi_{name}{i}"
            for name, count in several.items()
            for i in range(count)
            if bits[f"{what}_{name}"] >> i & 1
        )

    def counters(self) -> dict[str, int]:
        """Every counter by its register's name, of the last Program."""
        return {name: self.read(name) for name in COUNTERS}

    def _wait(self, limit: int, what: str) -> dict[str, int]:
        """STATUS once the Program is over, or can no longer be. The machine's own CYCLES measures the time."""
        passed = 0
        while True:
            self.device.wait(limit - passed)
            self.write("IRQ_STATUS", 1)  # before STATUS is read: what happens after that raises irq anew
            status = self.fields("STATUS")
            if not status["busy"]:
                return status
            if status["error"] and status["code"] not in UNIT_ERRORS:
                self._stuck = True
                return status
            passed = self.read("CYCLES")
            if passed >= limit:
                self._stuck = True
                raise MachineTimeout(f"{what}: not over after {passed} cycles, {limit} were allowed; reset the machine")
