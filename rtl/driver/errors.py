"""What can go wrong between a program and the machine; each error's text is one line."""

from __future__ import annotations

from collections.abc import Sequence

from .registers import ERRORS


class DriverError(Exception):
    """Base of all of them."""


class PackageError(DriverError):
    """A package file that is missing, damaged or some other file; or a name that is not in the package."""


class ConfigurationError(DriverError):
    """The machine is not the one that the package was made for."""


class MachineTimeout(DriverError):
    """The machine has not finished in the cycles that it was given; only :meth:`Driver.reset` helps."""


class BusBroken(DriverError):
    """The machine's reset has given up: ``ports`` owe an answer. It starts nothing until ``aresetn`` was asserted.

    >>> str(BusBroken(["m_axi_act"]))
    "the machine's reset has given up: no answer on m_axi_act; assert aresetn, or load the bitstream anew"
    """

    def __init__(self, ports: Sequence[str]) -> None:
        self.ports = tuple(ports)
        super().__init__(
            f"the machine's reset has given up: no answer on {', '.join(ports)}; assert aresetn, or load the bitstream "
            "anew"
        )


class MachineError(DriverError):
    """The machine latched an error.

    Attribute ``name`` is the code's, "UNKNOWN" if this driver does not know it.

    Parameters
    ----------
    code : as in STATUS.
    command : what ERROR_COMMAND tells.
    stuck : the Program has not run to its end, and only :meth:`Driver.reset` helps.
    what : was run, for the line.
    ports : which broke AXI's rules, or owe an answer to a machine that stands still.

    Examples
    --------
    >>> str(MachineError(1, 12, True, "SubNet demo"))
    'SubNet demo: error 1 (OPCODE), unknown opcode, at command 12; reset the machine'
    """

    def __init__(self, code: int, command: int, stuck: bool, what: str, ports: Sequence[str] = ()) -> None:
        self.code, self.command, self.stuck, self.ports = code, command, stuck, tuple(ports)
        self.name, meaning = ERRORS.get(code, ("UNKNOWN", "a code that this driver does not know"))
        super().__init__(
            f"{what}: error {code} ({self.name}), {meaning}, at command {command}"
            + (f", on {', '.join(ports)}" if ports else "")
            + ("; reset the machine" if stuck else "")
        )
