"""What can go wrong between a program and the machine; each error's text is one line."""

from __future__ import annotations

from .registers import ERRORS


class DriverError(Exception):
    """Base of all of them."""


class PackageError(DriverError):
    """A package file that is missing, damaged or some other file; or a name that is not in the package."""


class ConfigurationError(DriverError):
    """The machine is not the one that the package was made for."""


class MachineTimeout(DriverError):
    """The machine has not finished in the cycles that it was given; only :meth:`Driver.reset` helps."""


class MachineError(DriverError):
    """The machine latched an error.

    ``code``: as in STATUS. ``name``: the code's, "UNKNOWN" if this driver does not know it. ``command``: what
    ERROR_COMMAND tells. ``stuck``: the Program has not run to its end, and only :meth:`Driver.reset` helps.

    >>> str(MachineError(1, 12, True, "SubNet demo"))
    'SubNet demo: error 1 (OPCODE), unknown opcode, at command 12; reset the machine'
    """

    def __init__(self, code: int, command: int, stuck: bool, what: str) -> None:
        self.code, self.command, self.stuck = code, command, stuck
        self.name, meaning = ERRORS.get(code, ("UNKNOWN", "a code that this driver does not know"))
        super().__init__(
            f"{what}: error {code} ({self.name}), {meaning}, at command {command}"
            + ("; reset the machine" if stuck else "")
        )
