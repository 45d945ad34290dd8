"""What may be varied, how it is written, and what machine it makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator
from sim.explore.knobs import FIELDS, ExploreError, Knob, bandwidth_of, parse_vary, set_knobs

TINY, ZCU = Accelerator.load("tiny"), Accelerator.load("zcu104")


@pytest.mark.parametrize(
    "text,values",
    [
        ("KP=8,16,32", (8, 16, 32)),
        ("PB=0:2MB:0.5MB", (0, 500_000, 1_000_000, 1_500_000, 2_000_000)),
        ("PB=0:1.2MB:0.5MB", (0, 500_000, 1_000_000)),
        ("PB=1KiB:3KiB:1KiB", (1024, 2048, 3072)),
        ("SB=0.5,1MiB", (524_288, 1_048_576)),
        ("DRAM=2.4,9.6,19.2GB/s", (2_400_000_000, 9_600_000_000, 19_200_000_000)),
        ("DRAM=800MB/s,1GB/s", (800_000_000, 1_000_000_000)),
        ("PB=0:16kB:8kB", (0, 8000, 16_000)),
        ("DRAM=800,900kB/s", (800_000, 900_000)),
        ("CLOCK=100MHz,0.25GHz", (100_000_000, 250_000_000)),
        ("LATENCY=10:12:1", (10, 11, 12)),
        ("OB=6_400B", (6400,)),
    ],
)
def test_values(text: str, values: tuple[int, ...]) -> None:
    (knob,) = parse_vary(text)
    assert knob == Knob(text.partition("=")[0], values, FIELDS[knob.name][2])
    assert all(type(value) is int for value in knob.values)


@pytest.mark.parametrize(
    "text,words",
    [
        ("", "nothing is varied"),
        ("WIDTH=1", "knob WIDTH does not exist; give some of KP, CP, PB"),
        ("CLOK=1", "knob CLOK does not exist; did you mean CLOCK?"),
        ("kp=1", "knob kp does not exist; did you mean KP?"),
        ("KP", "knob KP has no values"),
        ("KP=", "knob KP has no values"),
        ("KP=8 KP=16", "knob KP is given twice"),
        ("KP=8,8", "knob KP has the value 8 twice"),
        ("KP=8 MB", "'MB' is no KNOB=VALUES; write a knob's values and their unit without blanks"),
        ("KP=4, 8", "a value is missing in '4,'; write all of them without blanks"),
        ("KP=8.5", "knob KP is 8.5; give whole numbers"),
        ("KP=8MB", "'8MB' has the unit MB; give plain numbers"),
        ("KP=a", "'a' is no number"),
        ("KP=8,,9", "a value is missing in '8,,9'"),
        ("PB=8", "'8' has no unit; give one in B, KB, MB, GB, KiB, MiB, GiB"),
        ("PB=8mb", "'8mb' has the unit mb"),
        ("PB=8MB/s", "'8MB/s' has the unit MB/s"),
        ("PB=0.5B", "knob PB is 0.5B; give whole numbers of bytes"),
        ("DRAM=9.6GB", "'9.6GB' has the unit GB; give one in B/s, KB/s"),
        ("KP=1e99999999", "give a number of at most 30 digits"),
        ("KP=" + "9" * 5000, "give a number of at most 30 digits"),
        ("KP=8:9:1e-9999999", "give a number of at most 30 digits"),
        ("CLOCK=100", "'100' has no unit; give one in Hz, kHz, MHz, GHz"),
        ("PB=8MB:0:1MB", "range 8MB:0:1MB is empty"),
        ("PB=0:8MB:0", "range 0:8MB:0 is empty"),
        ("KP=1:9:-1", "range 1:9:-1 is empty"),
        ("KP=1:9", "range 1:9 has 2 numbers; give start:stop:step"),
        ("PB=0:1GB:1B", "has 1000000001 values; give at most 100000"),
        ("DRAM=1GB/s INTERVAL=1", "knobs DRAM and INTERVAL both set the cycles of a beat"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(text: str, words: str) -> None:
    with pytest.raises(ExploreError) as error:
        parse_vary(text)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_each_knob_sets_its_field_and_nothing_else() -> None:
    new = {
        "KP": 8, "CP": 4, "PB": 500_000, "DB": 200_000, "SB": 900_000, "OB": 40_000, "OUT": 300_000, "ZSB": 40_000,
        "CLOCK": 150_000_000, "LATENCY": 77, "INTERVAL": 3, "BITS": 64, "STRIPES": 2, "WSTRIPES": 1, "PIXELS": 2,
    }  # fmt: skip
    assert set(new) | {"DRAM"} == set(FIELDS)
    before = ZCU.model_dump()
    for knob, value in new.items():
        after = set_knobs(ZCU, {knob: value}).model_dump()
        section, key, _ = FIELDS[knob]
        assert (after[section] if section else after)[key] == value
        (after[section] if section else after)[key] = (before[section] if section else before)[key]
        assert after == before, knob


@pytest.mark.parametrize(
    "values,bits,interval",
    [
        ({"DRAM": 9_600_000_000}, 128, 1),  # six ports of 16 bytes at 100 MHz
        ({"DRAM": 2_400_000_000}, 128, 4),
        ({"DRAM": 19_200_000_000}, 256, 1),
        ({"DRAM": 6_400_000_000, "CLOCK": 200_000_000}, 128, 3),
        ({"DRAM": 4_800_000_000, "BITS": 64}, 64, 1),
    ],
)
def test_bandwidth_by_hand(values: dict[str, int], bits: int, interval: int) -> None:
    made = set_knobs(ZCU, values)
    assert (made.axi.data_bits, made.dram.cycles_per_beat) == (bits, interval)
    assert bandwidth_of(made) == values["DRAM"]


@given(st.integers(1, 200), st.sampled_from([50, 100, 150, 200]))
def test_bandwidth_is_kept_to_exactly_or_refused(tenths: int, mhz: int) -> None:
    wanted = tenths * 100_000_000
    try:
        made = set_knobs(ZCU, {"DRAM": wanted, "CLOCK": mhz * 1_000_000})
    except AcceleratorError as error:
        assert "DRAM is" in str(error) or "axi" in str(error) or "dram.cycles_per_beat is" in str(error)
    else:
        assert bandwidth_of(made) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    "values,words",
    [
        ({"DRAM": 2_500_000_000}, "DRAM is 2.5e+09 B/s; 96 bytes a cycle at 1e+08 Hz are 9.6e+09 B/s"),
        ({"DRAM": 19_200_000_000, "BITS": 128}, "DRAM is 1.92e+10 B/s"),
        ({"DRAM": 0}, "DRAM is 0 B/s; give 1000 to 1e+14 bytes a second"),
        ({"KP": 3}, "axi.data_bits is 128; give bits that, with axi.weight_stripes, divide a ZSB entry"),
        ({"SB": 10}, "buffers.sb_bytes is 10"),
        ({"KP": 64}, "array.kp is 64; give 1 to 63 filters"),
    ],
)
def test_what_no_machine_can_have_is_an_error(values: dict[str, int], words: str) -> None:
    with pytest.raises(AcceleratorError, match=r"^accelerator zcu104: ") as error:
        set_knobs(ZCU, values)
    assert words in str(error.value)


def test_the_name_is_the_callers() -> None:
    assert set_knobs(TINY, {"KP": 8}, "mine").name == "mine"
