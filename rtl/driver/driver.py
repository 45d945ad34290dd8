"""The driver: a package on a device. Load the SuperNet, set the SubGraph, run SubNets, read what was counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .device import Device
from .errors import DriverError
from .machine import Machine
from .memory import FlatMemory, allocate
from .package import EMPTY, MachineShape, Package, PackedProgram, PackedSubNet
from .tensor import Place

PATIENCE, PATIENCE_LEAST = 16, 100_000
"""A Program may take so many times its predicted cycles and so many more, unless one says otherwise."""

PORT_COUNTERS = {"prog": "BEATS_PROG", "wgt": "BEATS_WGT", "act": "BEATS_ACT", "b": "BEATS_B", "out": "BEATS_OUT"}


@dataclass(frozen=True)
class Counts:
    """What a Program's run counted, and what the model predicted.

    Predicted cycles are those of the DRAM that the Accelerator describes; beats are exact with any.

    Attributes
    ----------
    counted, predicted : by the counters' register names.
    machine : that ran it.

    Examples
    --------
    >>> machine = MachineShape("tiny", "0", kp=4, cp=3, beat_bytes=4, stripes=1, weight_stripes=1, pixels=1,
    ...                        max_burst=16, clock_hz=1e8)
    >>> beats = dict.fromkeys(PORT_COUNTERS.values(), 10)
    >>> counts = Counts({"CYCLES": 200, **beats}, {"CYCLES": 190, **beats}, machine)
    >>> counts.differences(), counts.dram_bytes["wgt"], counts.seconds
    ({'CYCLES': (190, 200)}, 40, 2e-06)
    """

    counted: Mapping[str, int]
    predicted: Mapping[str, int]
    machine: MachineShape

    @property
    def cycles(self) -> int:
        """Clock cycles from start to done."""
        return self.counted["CYCLES"]

    @property
    def seconds(self) -> float:
        """Seconds from start to done, at the clock that the Accelerator describes."""
        return self.cycles / self.machine.clock_hz

    @property
    def dram_bytes(self) -> dict[str, int]:
        """Bytes by port; ``b`` is what ``m_axi_out`` read."""
        size = dict.fromkeys(PORT_COUNTERS, self.machine.beat_bytes)
        size |= {"prog": self.machine.port_bytes, "wgt": self.machine.weight_beat_bytes}
        return {port: self.counted[counter] * size[port] for port, counter in PORT_COUNTERS.items()}

    def differences(self) -> dict[str, tuple[int, int]]:
        """Where prediction and count are not equal: (predicted, counted) by name."""
        pairs = {name: (value, self.counted[name]) for name, value in self.predicted.items()}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@dataclass(frozen=True, eq=False)
class Result:
    """What a SubNet computed from an image.

    Attributes
    ----------
    logits : int8 (classes,).
    logits_zero : the int8 value that stands for 0.
    counts : what the machine counted, and what was predicted.
    """

    logits: npt.NDArray[np.int8]
    logits_zero: int
    counts: Counts

    @property
    def label(self) -> int:
        """The first of the greatest logits."""
        return int(self.logits.argmax())


@dataclass(frozen=True, eq=False)
class Inference:
    """What an imported network makes of an image.

    Attributes
    ----------
    results : the model's results by name, with the sizes that they have there.
    counts : what the machine counted, and what was predicted.
    """

    results: Mapping[str, npt.NDArray[Any]]
    counts: Counts


class Driver:
    """A package on a device.

    Parameters
    ----------
    device : the machine's registers and memory (:class:`~rtl.driver.device.Device`).
    package : what was compiled for that machine.
    timeout_cycles : the clock cycles that a Program may take. None: :data:`PATIENCE` times its prediction, and more.

    Raises
    ------
    ConfigurationError
        The machine is not the one that the package is for.

    Examples
    --------
    ::

        driver = Driver(device, Package.load("fashion.npz"))
        driver.load()
        driver.set_subgraph("shared")
        result = driver.run("fashion-d111-w222", image)
        result.label, result.counts.differences()
    """

    def __init__(self, device: Device, package: Package, timeout_cycles: int | None = None) -> None:
        self.machine, self.package, self.timeout_cycles = Machine(device), package, timeout_cycles
        self.machine.check(package.machine)
        self._device = device
        self._memory: FlatMemory | None = None
        self._subgraph = EMPTY

    @property
    def subgraph(self) -> str:
        """The SubGraph that the PB holds."""
        return self._subgraph

    def load(self) -> None:
        """Allocate memory and write the SuperNet's weights and all Programs there.

        A buffer for each stripe of weights and of tensors, another for the Programs; where they are goes to the
        registers WGT_BASE_0 …, BASE_0 … and, at each start, PROG_ADDR.
        """
        shape, weight_bytes = self.package.machine, len(self.package.weights)
        port = {"port_bytes": shape.port_bytes, "burst_bytes": shape.burst_bytes}
        weights = FlatMemory(self._device, weight_bytes, shape.weight_stripes, **port)
        tensor_bytes = self.package.memory_bytes - weight_bytes
        memory = FlatMemory(self._device, tensor_bytes, shape.stripes, **port, start=weight_bytes)
        programs = allocate(self._device, len(self.package.programs), shape.burst_bytes)
        programs[:] = self.package.programs
        programs.flush()
        weights.write(0, self.package.weights)
        for name, stripes in (("WGT_BASE", weights), ("BASE", memory)):
            for i, base in enumerate(stripes.bases):
                self.machine.write(f"{name}_{i}", base)
        self._programs, self._memory = programs, memory

    def set_subgraph(self, name: str) -> Counts:
        """Bring a SubGraph to the PB; tiles that stay are not fetched again.

        Parameters
        ----------
        name : a SubGraph of the package, or ``"empty"``.

        Returns
        -------
        Counts
            Of the Program that loaded it.

        Raises
        ------
        PackageError
            The package has no such SubGraph.
        MachineError, MachineTimeout
            The Program failed; the PB then counts as empty.
        """
        program = self.package.switch(self._subgraph, name)
        self._subgraph = EMPTY
        counts = self._run(program, f"switch to SubGraph {name}")
        self._subgraph = name
        return counts

    def run(self, subnet: str, image: npt.NDArray[np.int8] | npt.NDArray[np.uint8]) -> Result:
        """Run a SubNet on an image.

        Parameters
        ----------
        subnet : a SubNet of the package.
        image : (C, H, W), int8 as the network reads it, or uint8 pixels.

        Returns
        -------
        Result

        Raises
        ------
        PackageError, DriverError
            The package has no such SubNet; the image has another type or shape.
        MachineError, MachineTimeout
            The machine reports an error, which the exception has as its code; the Program does not end.
        """
        packed = self.package.subnet(subnet)
        counts = self._execute(subnet, packed, self._quantised(image, packed, subnet))
        return Result(self._tensor(packed.logits).reshape(-1), packed.logits_zero, counts)

    def infer(self, subnet: str, image: npt.ArrayLike) -> Inference:
        """Run an imported network as its model says: the host's steps before the machine, the Program, those after it.

        Parameters
        ----------
        subnet : a SubNet of the package that comes from a model.
        image : one image as the model takes it, without the batch: real numbers, or bytes if it takes these.

        Returns
        -------
        Inference
            With the model's own results: probabilities, if its last step is a softmax.

        Raises
        ------
        PackageError, DriverError
            The package has no such SubNet, or has it from no model; the image has another type or shape.
        MachineError, MachineTimeout
            As :meth:`run` does.

        Examples
        --------
        ::

            driver = Driver(device, Package.load("packed/package.npz"))  # fastswitch package model.onnx
            driver.load()
            driver.infer("model", photo).results["probabilities"]
        """
        packed = self.package.subnet(subnet)
        if packed.host is None:
            raise DriverError(f"SubNet {subnet} comes from no model; call run with an image of its own numbers")
        try:
            made = packed.host.prepared(np.asarray(image), packed.image.shape)
        except DriverError as error:
            raise DriverError(f"SubNet {subnet}: {error}") from None
        counts = self._execute(subnet, packed, made)
        tensors = {name: self._tensor(one.place) for name, one in packed.host.handed.items()}
        return Inference(packed.host.finished(tensors), counts)

    def _execute(self, name: str, packed: PackedSubNet, image: npt.NDArray[np.int8]) -> Counts:
        """Write the image and run the Program."""
        self._loaded().write(packed.image.address, packed.image.pack(image))
        return self._run(packed.programs[self._subgraph], f"SubNet {name}")

    def _tensor(self, place: Place) -> npt.NDArray[np.int8]:
        """A tensor that the Program left in memory."""
        return place.unpack(self._loaded().read(place.address, place.size))

    def reset(self) -> None:
        """Reset the machine, after an error or a timeout; the PB then counts as empty, memory keeps the SuperNet.

        Raises :class:`BusBroken` if memory owes an answer.
        """
        self._subgraph = EMPTY
        self.machine.reset()

    def _run(self, program: PackedProgram, what: str) -> Counts:
        self._loaded()
        limit = self.timeout_cycles
        if limit is None:
            limit = PATIENCE * program.predicted["CYCLES"] + PATIENCE_LEAST
        address = int(self._programs.physical_address) + program.first
        counted = self.machine.run(address, program.beats, limit, what)
        return Counts(counted, program.predicted, self.package.machine)

    def _loaded(self) -> FlatMemory:
        if self._memory is None:
            raise DriverError("nothing is loaded; call load() first")
        return self._memory

    def _quantised(
        self, image: npt.NDArray[np.int8] | npt.NDArray[np.uint8], packed: PackedSubNet, subnet: str
    ) -> npt.NDArray[np.int8]:
        if image.dtype not in (np.int8, np.uint8) or image.shape != packed.image.shape:
            raise DriverError(
                f"SubNet {subnet}: the image is {image.dtype} {image.shape}; give int8 or uint8 {packed.image.shape}"
            )
        if image.dtype == np.int8:
            return image.astype(np.int8)
        return (image.astype(np.int16) + self.package.pixel_offset).astype(np.int8)
