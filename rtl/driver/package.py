"""The package: a SuperNet compiled for one machine, in one file that NumPy reads.

It holds the SuperNet's weights as the machine's memory must hold them, a Program for each SubNet and each SubGraph that
the Persistent Buffer may hold, and one for each way from a SubGraph to another. Nothing in it depends on where a
board's memory is: addresses in commands count from the machine's base registers.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .errors import PackageError
from .host import HostWork
from .tensor import Place

FORMAT = "fastswitch-package-2"
OLDER = ("fastswitch-package-1",)
"""Read, too: without what the host computes."""

EMPTY = "empty"
"""The name of the SubGraph that a PB without content holds: the state after a reset."""


@dataclass(frozen=True)
class MachineShape:
    """The machine that a package is for.

    Attributes
    ----------
    name, hash : the Accelerator's, which no register tells.
    kp, cp, beat_bytes : as the register SHAPE tells them.
    stripes, weight_stripes, pixels : as the register PORTS tells them.
    max_burst : beats.
    clock_hz : hertz.
    """

    name: str
    hash: str
    kp: int
    cp: int
    beat_bytes: int
    stripes: int
    weight_stripes: int
    pixels: int
    max_burst: int
    clock_hz: float

    @property
    def port_bytes(self) -> int:
        """Bytes of a beat on one port."""
        return self.beat_bytes // self.stripes

    @property
    def weight_beat_bytes(self) -> int:
        """Bytes of a beat of weights."""
        return self.port_bytes * self.weight_stripes

    @property
    def burst_bytes(self) -> int:
        """Bytes of the longest burst on one port: what base addresses are multiples of."""
        return self.port_bytes * self.max_burst


@dataclass(frozen=True)
class PackedProgram:
    """Where a Program is in a package, and what it should count.

    Attributes
    ----------
    first : its first byte in :attr:`Package.programs`.
    beats : its length.
    predicted : counters by name.
    """

    first: int
    beats: int
    predicted: Mapping[str, int]


@dataclass(frozen=True)
class PackedSubNet:
    """A SubNet in a package.

    Attributes
    ----------
    image, logits : where they are.
    logits_zero : the int8 that stands for 0 among the logits.
    programs : for each SubGraph in the PB.
    host : what is computed around the Program, of a network that was imported from a model; None for others.
    """

    image: Place
    logits: Place
    logits_zero: int
    programs: Mapping[str, PackedProgram]
    host: HostWork | None = None


@dataclass(frozen=True, eq=False)
class Package:
    """Everything that a board needs of a SuperNet.

    Attributes
    ----------
    machine : what it is for.
    supernet : the SuperNet's name.
    memory_bytes : of the machine's flat memory: ``weights`` from address 0 on, then images and activations.
    pixel_offset : what turns a pixel 0..255 into the int8 that the SubNets read, by addition.
    subnets : by name.
    switches : by SubGraph before, then after: the Program that moves the PB from one to the other.
    weights, programs : uint8 arrays.
    """

    machine: MachineShape
    supernet: str
    memory_bytes: int
    pixel_offset: int
    subnets: Mapping[str, PackedSubNet]
    switches: Mapping[str, Mapping[str, PackedProgram]]
    weights: npt.NDArray[np.uint8] = field(repr=False)
    programs: npt.NDArray[np.uint8] = field(repr=False)

    @property
    def subgraphs(self) -> tuple[str, ...]:
        """SubGraphs that the PB may hold, :data:`EMPTY` first."""
        return tuple(self.switches)

    def subnet(self, name: str) -> PackedSubNet:
        """The SubNet of that name. Raises :class:`PackageError` if there is none."""
        return _named(self.subnets, name, "SubNet")

    def switch(self, before: str, after: str) -> PackedProgram:
        """The Program of a switch.

        Parameters
        ----------
        before, after : names of SubGraphs.

        Raises
        ------
        PackageError
            A SubGraph is not in the package.
        """
        return _named(_named(self.switches, before, "SubGraph"), after, "SubGraph")

    def save(self, path: Path | str | BinaryIO) -> None:
        """Write the file, whose name must end in ``.npz``, or into an open one; a package has the same bytes always."""
        header = {"format": FORMAT, **{name: getattr(self, name) for name in _PLAIN}}
        header["machine"] = asdict(self.machine)
        header["subnets"] = {name: _subnet_out(subnet) for name, subnet in self.subnets.items()}
        header["switches"] = {
            before: {after: asdict(program) for after, program in row.items()} for before, row in self.switches.items()
        }
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez_compressed(path, header=text, weights=self.weights, programs=self.programs)

    @classmethod
    def load(cls, path: Path | str) -> Package:
        """Read a package's file.

        Raises
        ------
        PackageError
            It is missing, damaged or some other file.
        """
        try:
            with zipfile.ZipFile(path) as file:
                header, weights, programs = (_array(file, name) for name in ("header", "weights", "programs"))
            return cls._of(json.loads(header.tobytes()), weights, programs)
        except OSError as error:
            raise PackageError(f"cannot read {path}: {error.strerror or error}") from None
        except PackageError as error:
            raise PackageError(f"{path} {error}") from None
        except _DAMAGE:
            raise PackageError(f"{path} is not a whole package; make it anew") from None

    @classmethod
    def _of(cls, header: Mapping[str, Any], weights: npt.NDArray[np.uint8], programs: npt.NDArray[np.uint8]) -> Package:
        if header["format"] not in (FORMAT, *OLDER):
            if str(header["format"]).startswith(FORMAT.rstrip("0123456789")):
                found = "".join(letter for letter in str(header["format"])[:40] if letter.isprintable())
                raise PackageError(f"is of format {found}, and this driver reads {FORMAT}; make it anew")
            raise ValueError(header["format"])
        return cls(
            machine=MachineShape(**header["machine"]),
            subnets={name: _subnet(row) for name, row in header["subnets"].items()},
            switches={before: _programs(row) for before, row in header["switches"].items()},
            weights=weights,
            programs=programs,
            **{name: header[name] for name in _PLAIN},
        )


_DAMAGE = (
    *(KeyError, TypeError, ValueError, EOFError, AttributeError, OverflowError, NotImplementedError, RuntimeError),
    *(MemoryError, zipfile.BadZipFile, zlib.error),
)


def _array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[np.uint8]:
    """The bytes of an array; what its header claims is compared with what is there, not allocated."""
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > MOST_BYTES:
        raise ValueError(name)
    with archive.open(info) as member:
        try:
            np.lib.format.read_magic(member)
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        except Exception as error:  # a header is a Python literal, and one that is none raises whatever the parser does
            raise ValueError(name) from error
        data = np.frombuffer(member.read(), np.uint8)
    if dtype != np.uint8 or shape != data.shape:
        raise ValueError(name)
    return data


MOST_BYTES = 2**32
"""Of weights or Programs: what AXI addresses of 32 bits reach."""

_PLAIN = ("supernet", "memory_bytes", "pixel_offset")


def _subnet_out(subnet: PackedSubNet) -> dict[str, Any]:
    return {
        "image": asdict(subnet.image),
        "logits": asdict(subnet.logits),
        "logits_zero": subnet.logits_zero,
        "programs": {name: asdict(program) for name, program in subnet.programs.items()},
        "host": None if subnet.host is None else subnet.host.to_json(),
    }


def _subnet(row: Mapping[str, Any]) -> PackedSubNet:
    image, logits = Place(**row["image"]), Place(**row["logits"])
    host = HostWork.of_json(row["host"]) if row.get("host") else None
    return PackedSubNet(image, logits, row["logits_zero"], _programs(row["programs"]), host)


def _programs(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, PackedProgram]:
    return {name: PackedProgram(**row) for name, row in rows.items()}


def _named(things: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in things:
        raise PackageError(f"{what} {name} is not in the package; it has {', '.join(things)}")
    return things[name]
