"""The driver on the RTL, through AXI-Lite and memory alone: every logit the reference's, every count as predicted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from rtl.driver import (
    EMPTY,
    BusBroken,
    ConfigurationError,
    Counts,
    Device,
    Driver,
    DriverError,
    MachineError,
    MachineTimeout,
    Package,
    PackageError,
    PynqDevice,
    XrtDevice,
)
from rtl.driver_package import make_package
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Build, build
from sim.rtl_bench.faults import BusFault, Fault
from sim.rtl_bench.rtl_device import RtlDevice
from sim.rtl_bench.simulators import find_simulator
from tests.machines import WIDE
from tests.rtl.driver.fake_xrt import FakeXrt
from tests.rtl.driver.packages import DEEPER, FASHION, SMALL, TINY, WEIGHTS, fashion_package, part_of


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    path = tmp_path_factory.mktemp("package") / "fashion.npz"
    fashion_package().save(path)
    return Package.load(path)


@pytest.fixture(scope="module")
def built() -> Build:
    return build(TINY, find_simulator())


@pytest.fixture(scope="module")
def powered(built: Build) -> Iterator[RtlDevice]:
    with RtlDevice(built) as device:
        yield device


@pytest.fixture
def driver(powered: RtlDevice, package: Package) -> Driver:
    """Loaded, on a machine that was reset."""
    powered.answer_errors(0, 0)
    powered.release()
    made = Driver(powered, package)
    made.load()
    made.reset()
    return made


def image(index: int) -> np.ndarray:
    return WEIGHTS.images[index][None]


def reference(subnet: str, index: int) -> np.ndarray:
    pixels = (image(index).astype(np.int16) - 128).astype(np.int8)
    layers = FASHION.subnet(subnet).layers
    return run_layers(layers, WEIGHTS.layers, WEIGHTS.subnets[subnet].ops, pixels)[layers[-1].name].ravel()


def pynq(device: RtlDevice) -> Device:
    """PYNQ's two functions, and the interrupt."""
    return PynqDevice(device, 1e8, device.wait, lambda shape, dtype: device.allocate(shape[0]))


def xrt(device: RtlDevice) -> Device:
    """XRT's functions in front of the same, and the interrupt."""
    return XrtDevice("fastswitch.xclbin", 1e8, banks=(0, 1, 2), wait=device.wait, library=FakeXrt(device))


WRAPPED = {"pynq": pynq, "xrt": xrt}


@pytest.mark.parametrize("kind", ["interrupt", "polling", "pynq", "xrt"])
def test_two_subnets_with_a_subgraph(kind: str, built: Build, package: Package) -> None:
    with RtlDevice(built, irq=kind != "polling") as device:
        driver = Driver(WRAPPED[kind](device) if kind in WRAPPED else device, package)
        driver.load()
        assert driver.machine.read("BASE_0") > 0, "not where the commands' addresses begin"
        moved = driver.set_subgraph("front")
        assert moved.differences() == {} and moved.dram_bytes["wgt"] > 0 == moved.dram_bytes["out"]
        for index, subnet in enumerate((SMALL, DEEPER)):
            result = driver.run(subnet, image(index))
            assert (result.logits == reference(subnet, index)).all() and result.logits.dtype == np.int8
            assert result.label == reference(subnet, index).argmax()
            assert not result.counts.differences()


def test_memory_in_two_stripes() -> None:
    with RtlDevice(build(WIDE, find_simulator())) as device:
        driver = Driver(device, make_package(FASHION, WEIGHTS, WIDE, [SMALL], {"stem": part_of(SMALL, range(1))}))
        driver.load()
        assert driver.machine.read("BASE_1") > driver.machine.read("BASE_0") > 0
        driver.set_subgraph("stem")
        result = driver.run(SMALL, image(5))
        assert (result.logits == reference(SMALL, 5)).all()
        assert not result.counts.differences()


def test_switches_bring_what_is_not_there_and_spare_what_is(driver: Driver) -> None:
    def weights(counts: Counts) -> int:
        return counts.dram_bytes["wgt"]

    without = driver.run(SMALL, image(0))
    whole = driver.set_subgraph("next")
    assert weights(driver.set_subgraph("next")) == 0
    driver.set_subgraph("front")
    assert 0 < weights(driver.set_subgraph("next")) < weights(whole), "two layers of both stay"
    driver.set_subgraph("front")
    cached = driver.run(SMALL, image(0))
    assert driver.subgraph == "front" and weights(cached.counts) < weights(without.counts)
    assert (cached.logits == without.logits).all() and (cached.logits == reference(SMALL, 0)).all()


def test_int8_and_uint8_are_the_same_image(driver: Driver) -> None:
    signed = (image(7).astype(np.int16) - 128).astype(np.int8)
    for same in (signed, image(7)):
        assert (driver.run(SMALL, same).logits == reference(SMALL, 7)).all()


def test_what_cannot_be_run_is_said_before_anything_runs(driver: Driver, package: Package) -> None:
    with pytest.raises(DriverError, match=r"image is uint8 \(28, 28\); give int8 or uint8 \(1, 28, 28\)"):
        driver.run(SMALL, WEIGHTS.images[0])
    with pytest.raises(DriverError, match="image is float64"):
        driver.run(SMALL, image(0) / 255)
    with pytest.raises(PackageError, match=f"SubNet big is not in the package; it has {SMALL}, {DEEPER}"):
        driver.run("big", image(0))
    with pytest.raises(PackageError, match="SubGraph all is not in the package; it has empty, front, next"):
        driver.set_subgraph("all")
    with pytest.raises(DriverError, match="call load"):
        Driver(driver.machine.device, package).run(SMALL, image(0))


@pytest.mark.parametrize(("name", "value"), [("kp", 8), ("cp", 4), ("beat_bytes", 8), ("stripes", 2), ("pixels", 4)])
def test_another_machine_is_refused(name: str, value: int, powered: RtlDevice, package: Package) -> None:
    machine = dataclasses.replace(package.machine, **{name: value})
    have = getattr(package.machine, name)
    with pytest.raises(ConfigurationError, match=f"machine has {name} {have}; .* tiny with {name} {value}"):
        Driver(powered, dataclasses.replace(package, machine=machine))


def test_no_machine_is_refused(powered: RtlDevice, package: Package) -> None:
    elsewhere = PynqDevice(_Shifted(powered), 1e8, allocate=powered.allocate)
    with pytest.raises(ConfigurationError, match="ID is 0x00040304"):  # SHAPE: kp 4, cp 3, beats of 4 bytes
        Driver(elsewhere, package)


class _Shifted:
    """The machine's registers, seen from a base address that is four bytes off."""

    def __init__(self, device: RtlDevice) -> None:
        self._device = device

    def read(self, offset: int) -> int:
        return self._device.read(offset + 4)

    def write(self, offset: int, value: int) -> None:
        self._device.write(offset + 4, value)


def test_a_bad_program_is_named_and_a_reset_helps(powered: RtlDevice, driver: Driver, package: Package) -> None:
    programs = package.programs.copy()
    first = package.subnet(SMALL).programs["front"].first
    programs[first + 3 * 32] |= 0xF  # the fourth command's opcode
    driver = Driver(powered, dataclasses.replace(package, programs=programs))
    driver.load()
    driver.set_subgraph("front")
    with pytest.raises(MachineError) as seen:
        driver.run(SMALL, image(0))
    assert str(seen.value) == f"SubNet {SMALL}: error 1 (OPCODE), unknown opcode, at command 3; reset the machine"
    assert (seen.value.code, seen.value.name, seen.value.command, seen.value.stuck) == (1, "OPCODE", 3, True)
    with pytest.raises(DriverError, match="busy with an earlier Program; reset it"):
        driver.run(DEEPER, image(0))
    driver.reset()
    assert driver.subgraph == EMPTY
    assert (driver.run(DEEPER, image(0)).logits == reference(DEEPER, 0)).all()
    driver.set_subgraph("next")
    assert (driver.run(SMALL, image(1)).logits == reference(SMALL, 1)).all()


def test_memory_that_answers_errors_is_named_and_the_machine_goes_on(powered: RtlDevice, driver: Driver) -> None:
    base = driver.machine.read("BASE_0")
    powered.answer_errors(base, base + 64)  # the first weights
    with pytest.raises(MachineError, match=r"SubGraph front: error 4 \(READ_WGT\), m_axi_wgt: SLVERR") as seen:
        driver.set_subgraph("front")
    assert not seen.value.stuck and driver.subgraph == EMPTY
    powered.answer_errors(0, 0)
    driver.set_subgraph("front")
    assert (driver.run(SMALL, image(2)).logits == reference(SMALL, 2)).all()


def test_a_program_that_takes_too_long_is_ended_by_a_reset(driver: Driver) -> None:
    driver.timeout_cycles = 5000
    with pytest.raises(MachineTimeout, match=r"not over after 5\d\d\d cycles, 5000 were allowed"):
        driver.run(SMALL, image(0))
    driver.timeout_cycles = None
    driver.reset()
    assert (driver.run(SMALL, image(3)).logits == reference(SMALL, 3)).all()


def test_a_bus_that_breaks_its_rules_is_named_with_its_port(powered: RtlDevice, driver: Driver) -> None:
    powered.break_rules(BusFault(Fault.RLAST_MISSING, port=2))
    with pytest.raises(MachineError, match=r"error 14 \(PROTOCOL_ACT\), .*RLAST early.*, on m_axi_act; reset") as seen:
        driver.run(SMALL, image(0))
    assert seen.value.stuck and seen.value.ports == ("m_axi_act",)
    powered.break_rules(None)
    driver.reset()
    assert (driver.run(SMALL, image(0)).logits == reference(SMALL, 0)).all()


def test_a_response_that_nobody_asked_for_between_two_runs_has_the_next_one_refused(
    powered: RtlDevice, driver: Driver
) -> None:
    powered.break_rules(BusFault(Fault.B_BEFORE_ADDRESS, port=4))
    powered.wait(50)
    with pytest.raises(MachineError, match=r"error 16 \(PROTOCOL_OUT\).* on m_axi_out; reset the machine"):
        driver.run(SMALL, image(1))
    powered.break_rules(None)
    driver.reset()
    assert (driver.run(SMALL, image(1)).logits == reference(SMALL, 1)).all()


def test_a_bus_that_owes_an_answer_is_broken_until_aresetn(
    powered: RtlDevice, driver: Driver, package: Package
) -> None:
    driver.machine.write("WATCHDOG", 2000)
    powered.break_rules(BusFault(Fault.B_MISSING, port=4))
    with pytest.raises(MachineError, match=r"error 10 \(STUCK\).* on m_axi_out; reset the machine"):
        driver.run(SMALL, image(2))
    for _ in range(2):
        with pytest.raises(BusBroken, match="no answer on m_axi_out; assert aresetn"):
            driver.reset()
        with pytest.raises(DriverError, match="busy with an earlier Program; reset it"):
            driver.run(SMALL, image(2))
    powered.break_rules(None)
    powered.power()
    powered.release()
    again = Driver(powered, package)
    again.load()
    assert (again.run(SMALL, image(2)).logits == reference(SMALL, 2)).all()
