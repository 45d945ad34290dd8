"""DRAM beside the clock: cycles by hand, what contradicts itself, what a clock changes and what it does not."""

from fractions import Fraction

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator, preset_names
from arch_model.machine.accelerator_yaml import accelerator_yaml
from arch_model.machine.dram import Dram, changed, in_cycles
from sim.explore.knobs import set_knobs

TINY, ZCU104, U50 = (Accelerator.load(name) for name in ("tiny", "zcu104", "u50"))


def loaded(text, folder):
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return Accelerator.load(path)


def described(machine, **dram):
    """A machine's description as YAML, its memory described otherwise; what is None is left out."""
    data = yaml.safe_load(accelerator_yaml(machine))
    data["dram"] = {"bytes": machine.dram.bytes} | dram
    return yaml.safe_dump(data, sort_keys=False)


@pytest.mark.parametrize(
    ("latency_ns", "bytes_per_s", "clock_hz", "cycle_bytes", "cycles"),
    [
        (200, 57.5e9, 200e6, 256, (40, 1)),  # 0.89 of a cycle
        (200, 57.5e9, 250e6, 256, (50, 2)),  # 1.11
        (400, 9.6e9, 100e6, 96, (40, 1)),
        (400, 9.6e9, 300e6, 96, (120, 3)),
        (401, 9.6e9, 100e6, 96, (41, 1)),  # 40.1
        (66.6666667, 9.6e9, 15e6, 96, (1, 1)),  # a cycle but for what seven digits leave
        (0.5, 1e12, 100e6, 96, (1, 1)),  # nothing is faster than a cycle
        (0.3, 1.1e9, 1e9, 11, (1, 10)),  # 0.1 s that no binary fraction is
    ],
)
def test_cycles_by_hand(latency_ns, bytes_per_s, clock_hz, cycle_bytes, cycles):
    made = in_cycles(Dram(bytes=4096, latency_ns=latency_ns, bytes_per_s=bytes_per_s), clock_hz, cycle_bytes)
    assert (made.latency_cycles, made.cycles_per_beat) == cycles


@settings(deadline=None, print_blob=True)
@given(st.integers(1, 10**6), st.integers(10**3, 4 * 10**9), st.integers(1, 384), st.integers(10**6, 10**12))
def test_the_memory_that_is_predicted_is_never_faster(latency_ns, clock_hz, cycle_bytes, bytes_per_s):
    made = in_cycles(Dram(bytes=4096, latency_ns=latency_ns, bytes_per_s=bytes_per_s), clock_hz, cycle_bytes)
    slack = Fraction(10**9 + 1, 10**9)
    assert Fraction(made.latency_cycles, clock_hz) * slack >= Fraction(latency_ns, 10**9)
    assert Fraction(cycle_bytes * clock_hz, made.cycles_per_beat) <= max(bytes_per_s, cycle_bytes * clock_hz) * slack
    if made.cycles_per_beat > 1:  # and a cycle less would be too fast
        assert Fraction(cycle_bytes * clock_hz, made.cycles_per_beat - 1) * slack > bytes_per_s


def test_another_clock_is_the_same_memory():
    fast = U50.replace(clock_hz=300e6)
    assert (fast.dram.latency_cycles, fast.dram.cycles_per_beat) == (60, 2)
    assert fast.dram_latency_s == U50.dram_latency_s and fast.dram_bytes_per_s <= 57.5e9
    assert fast.replace(clock_hz=200e6) == U50
    cycles = ZCU104.replace(clock_hz=300e6)  # described in cycles, which stay
    assert cycles.dram == ZCU104.dram and cycles.dram_bytes_per_s == 3 * ZCU104.dram_bytes_per_s


def test_knobs_keep_the_memory():
    assert set_knobs(U50, {"CLOCK": 300_000_000}).dram == U50.replace(clock_hz=300e6).dram
    wide = set_knobs(U50, {"BITS": 1024, "CLOCK": 100_000_000, "WSTRIPES": 2})
    assert wide.cycle_bytes == 384 and wide.dram.cycles_per_beat == 1 and wide.dram.latency_cycles == 20
    assert set_knobs(U50, {"LATENCY": 70}).dram.given == {
        "bytes": U50.dram.bytes,
        "latency_cycles": 70,
        "bytes_per_s": 57.5e9,
    }
    assert set_knobs(U50, {"INTERVAL": 3}).dram.given["cycles_per_beat"] == 3
    half = set_knobs(U50, {"DRAM": 25_600_000_000})
    assert half.dram.cycles_per_beat == 2 and half.dram.given["bytes_per_s"] == 25.6e9


def test_a_quantity_has_one_form():
    assert changed({"latency_ns": 200.0, "bytes_per_s": 1e9}, {"cycles_per_beat": 2}) == {
        "latency_ns": 200.0,
        "cycles_per_beat": 2,
    }
    both = {"latency_ns": 200, "latency_cycles": 40}
    assert changed({"latency_cycles": 3}, both) == both


@pytest.mark.parametrize(
    ("dram", "message"),
    [
        (
            {},
            "dram.latency_cycles is missing; give 1 to 100000 clock cycles, a whole number, or dram.latency_ns",
        ),
        (
            {"latency_ns": 200},
            "dram.cycles_per_beat is missing; give 1 to 100000 clock cycles, a whole number, or dram.byt",
        ),
        ({"latency_ns": 0}, "dram.latency_ns is 0; give 0.25 to 1e+08 nanoseconds, a number such as 200"),
        ({"latency_ns": "200 ns"}, "dram.latency_ns is '200 ns'; give 0.25 to 1e+08 nanoseconds"),
        ({"latency_ns": True}, "dram.latency_ns is True; give 0.25 to 1e+08 nanoseconds"),
        ({"latency_cycles": 0}, "dram.latency_cycles is 0; give 1 to 100000 clock cycles"),
        ({"bytes_per_s": 999}, "dram.bytes_per_s is 999; give 1000 to 1e+14 bytes a second"),
        ({"latency_ns": float("nan")}, "dram.latency_ns is nan; give 0.25"),
        (
            {"latency_ns": 200, "latency_cycles": 21, "cycles_per_beat": 1},
            "dram.latency_cycles is 21; give 20, as dram.latency_ns = 200 says at 1e+08 Hz, or one of the two",
        ),
        (
            {"latency_cycles": 20, "bytes_per_s": 0.4e9, "cycles_per_beat": 2},
            "dram.cycles_per_beat is 2; give 3, as dram.bytes_per_s = 4e+08 says at 1e+08 Hz, or one of the two keys",
        ),
        (
            {"latency_ns": 2e6, "cycles_per_beat": 1},
            "dram.latency_ns is 2e+06; give what is 1 to 100000 clock cycles at 1e+08 Hz: it would be 200000",
        ),
        (
            {"latency_ns": 10, "bytes_per_s": 1e8},
            "dram.bytes_per_s is 1e+08; give 3e+08 or more, a beat in 4 cycles (dram.latency_cycles + 3)",
        ),
    ],
)
def test_what_is_refused(dram, message, tmp_path):
    with pytest.raises(AcceleratorError) as error:
        loaded(described(TINY, **dram), tmp_path)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_both_forms_that_agree_are_read(tmp_path):
    made = loaded(described(TINY, latency_ns=240, latency_cycles=24, bytes_per_s=0.6e9, cycles_per_beat=2), tmp_path)
    assert made.dram.latency_cycles == 24 and made.dram.given == {
        "bytes": TINY.dram.bytes,
        "latency_ns": 240,
        "bytes_per_s": 0.6e9,
    }


@settings(deadline=None, print_blob=True)
@given(
    st.sampled_from(["tiny", "zcu104", "u50"]),
    st.one_of(st.integers(30, 5000), st.floats(30, 5000)),
    st.floats(1e9, 1e12),
    st.floats(1e6, 4e9),
)
def test_yaml_round_trips_to_the_bit(tmp_path_factory, name, latency_ns, bytes_per_s, clock_hz):
    try:
        made = Accelerator.load(name).replace(
            clock_hz=clock_hz, dram={"latency_ns": latency_ns, "bytes_per_s": bytes_per_s}
        )
    except AcceleratorError as error:
        assert "dram." in str(error)
        return
    again = loaded(accelerator_yaml(made), tmp_path_factory.mktemp("yaml"))
    assert again == made and again.hash() == made.hash() and accelerator_yaml(again) == accelerator_yaml(made)
    assert Accelerator.model_validate(made.model_dump(mode="json")) == made.replace(device=None)  # not of the machine


def test_presets_round_trip(tmp_path):
    for name in preset_names():
        preset = Accelerator.load(name)
        assert loaded(accelerator_yaml(preset), tmp_path) == preset


# ------------------------------------------------------------------------------------ the file's format


def test_a_file_of_0_1_0_is_read_as_it_was(tmp_path):
    """Without a format, with cycles alone; its hash, which names it in results, is that of 0.1.0, too."""
    text = accelerator_yaml(TINY).removeprefix("format: 2\n")
    made = loaded(text, tmp_path)
    assert made == TINY == loaded("format: 1\n" + text, tmp_path)
    assert (made.hash(), ZCU104.hash()) == ("add832b95eb3", "acf1b5825fda")  # as fastswitch 0.1.0 gave them


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("format: 3", "format is 3; a newer fastswitch wrote it; give 1 to 2, or leave it out"),
        ("format: 0", "format is 0; give 1 to 2, or leave it out"),
        ("format: two", "format is 'two'; give 1 to 2, or leave it out"),
        ("format: true", "format is True; give 1 to 2, or leave it out"),
        ("format: null", "format is None; give 1 to 2, or leave it out"),
        ("format: 1", "dram.latency_ns is not a key of format 1; give format: 2"),
        ("pipeline: {array: 1}", "pipeline is {'array': 1}; leave it out: registers that shorten long paths"),
    ],
)
def test_formats_and_keys_that_are_refused(lines, message, tmp_path):
    text = accelerator_yaml(U50).removeprefix("format: 2\n")
    with pytest.raises(AcceleratorError) as error:
        loaded(f"{lines}\n{text}", tmp_path)
    assert message in str(error.value)
