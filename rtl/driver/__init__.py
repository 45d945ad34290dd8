"""A driver for the machine, for boards that run PYNQ, for Alveo cards and for the RTL in simulation.

These files need NumPy and nothing else: the folder is copied as it is to where it is used. What a SuperNet is compiled
to, a *package*, is made elsewhere (``rtl.driver_package``).
"""

from .cocotb_device import CocotbDevice
from .device import Buffer, Device
from .driver import Counts, Driver, Inference, Result
from .errors import BusBroken, ConfigurationError, DriverError, MachineError, MachineTimeout, PackageError
from .package import EMPTY, Package
from .pynq_device import PynqDevice
from .xrt_device import XrtDevice

__all__ = [
    "EMPTY",
    "Buffer",
    "BusBroken",
    "CocotbDevice",
    "ConfigurationError",
    "Counts",
    "Device",
    "Driver",
    "DriverError",
    "Inference",
    "MachineError",
    "MachineTimeout",
    "Package",
    "PackageError",
    "PynqDevice",
    "Result",
    "XrtDevice",
]
