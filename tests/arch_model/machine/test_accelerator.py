"""The Accelerator: its formulas by hand, and every way in which a description can be wrong."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.cost.resources import fpga_resources
from arch_model.errors import AcceleratorError
from arch_model.machine import accelerator as module
from arch_model.machine.accelerator import Accelerator, preset_names
from arch_model.machine.dram import DRAM_ADDRESS_BITS
from arch_model.program import isa

TINY = Accelerator.load("tiny")
SMALL, U50 = Accelerator.load("small"), Accelerator.load("u50")
ZCU104 = Accelerator.load("zcu104")

properties = settings(deadline=None, print_blob=True)


def error_of(text: str, folder: Path) -> str:
    """The one line that loading ``text`` as ``a.yaml`` raises, without the folder."""
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AcceleratorError) as error:
        Accelerator.load(path)
    line = str(error.value)
    assert "\n" not in line
    return line.replace(str(path), "a.yaml")


def edited(section: str | None, **changes: Any) -> str:
    """The preset ``tiny`` as YAML, with keys changed, or removed where the value is ``...``."""
    data = TINY.model_dump()
    target = data[section] if section else data
    for key, value in changes.items():
        if value is ...:
            del target[key]
        else:
            target[key] = value
    return yaml.safe_dump(data)


# ------------------------------------------------------------------------------------ formulas


def test_tiny_by_hand() -> None:
    assert (TINY.kp, TINY.cp, TINY.multipliers, TINY.beat_bytes, TINY.nb) == (4, 3, 108, 4, 2)
    assert (TINY.tile_bytes_raw, TINY.tile_bytes, TINY.tile_beats) == (108, 108, 27)
    assert (TINY.pb_tiles, TINY.db_half_tiles) == (455, 64)  # 49152 / 108 = 455.1; 13824 / 216
    assert (TINY.sb_half_words, TINY.ob_pixels) == (1024, 400)
    assert (TINY.out_half_words, TINY.zsb_half_entries) == (2048, 64)
    assert (TINY.pitch(28), TINY.pitch(7), TINY.pitch(1)) == (84, 24, 4)
    assert (TINY.groups(1), TINY.groups(3), TINY.groups(16)) == (1, 1, 6)
    assert (TINY.clock_hz, TINY.axi.max_burst) == (100e6, 16)
    assert (TINY.dram.bytes, TINY.dram.latency_cycles, TINY.dram.cycles_per_beat) == (4 * 2**20, 24, 2)


def test_zcu104_by_hand() -> None:
    assert (ZCU104.kp, ZCU104.cp, ZCU104.multipliers, ZCU104.nb) == (16, 9, 1296, 3)
    assert (ZCU104.beat_bytes, ZCU104.stripes, ZCU104.port_bytes, ZCU104.pixels) == (16, 1, 16, 4)
    assert (ZCU104.weight_beat_bytes, ZCU104.weight_stripes) == (64, 4)
    assert ZCU104.weight_beat_bytes + 2 * ZCU104.beat_bytes == 96  # bytes a cycle on six ports
    assert (ZCU104.tile_bytes_raw, ZCU104.tile_bytes, ZCU104.tile_beats) == (1296, 1344, 21)
    assert (ZCU104.pb_tiles, ZCU104.db_half_tiles) == (1280, 128)
    assert (ZCU104.sb_half_words, ZCU104.ob_pixels) == (8192, 1024)
    assert (ZCU104.out_half_words, ZCU104.zsb_half_entries) == (8192, 256)
    assert (ZCU104.pitch(56), ZCU104.pitch(7)) == (512, 64)  # 504 and 63 bytes
    assert (ZCU104.clock_hz, ZCU104.axi.max_burst, ZCU104.dram.bytes) == (100e6, 32, 2 * 2**30)


def test_small_by_hand() -> None:
    assert (SMALL.kp, SMALL.cp, SMALL.multipliers, SMALL.nb) == (8, 4, 288, 2)
    assert (SMALL.beat_bytes, SMALL.weight_beat_bytes, SMALL.cycle_bytes, SMALL.pixels) == (8, 16, 32, 2)
    assert (SMALL.tile_bytes_raw, SMALL.tile_bytes, SMALL.tile_beats) == (288, 288, 18)
    assert (SMALL.pb_tiles, SMALL.db_half_tiles) == (1024, 256)
    assert (SMALL.sb_half_words, SMALL.ob_pixels) == (4096, 1024)
    assert (SMALL.out_half_words, SMALL.zsb_half_entries) == (2048, 256)


def test_small_fits_its_board() -> None:
    """A block RAM of 36 Kb is 1024 words of 36 bits; the OB's and the ZSB's are 512 words of 72."""
    total = fpga_resources(SMALL).total
    wide = 7.5 + 8  # OB: 2 x 256 bits in half block RAMs; ZSB: 8 bytes of a filter each
    deep = 8 * 8 + 8 * 4 + 9 * 2 * 4 + 2 * 2 * 2  # PB, DB, SB, OB's output side
    assert (total.bram36, total.uram) == (deep + wide, 0)
    assert total.bram36 <= 216 and total.dsps <= 360 and total.luts <= 70_560 and total.ffs <= 141_120


def test_u50_by_hand() -> None:
    assert (U50.kp, U50.cp, U50.multipliers, U50.nb) == (32, 16, 4608, 2)
    assert (U50.beat_bytes, U50.port_bytes, U50.weight_beat_bytes, U50.cycle_bytes) == (64, 32, 128, 256)
    assert (U50.tile_bytes_raw, U50.tile_bytes, U50.tile_beats) == (4608, 4608, 36)
    assert (U50.pb_tiles, U50.db_half_tiles) == (2560, 64)
    assert (U50.sb_half_words, U50.ob_pixels) == (8192, 4096)
    assert (U50.out_half_words, U50.zsb_half_entries) == (8192, 256)
    # Reads and writes of a stripe's pseudo-channel together, and the stripes of tensors in one each.
    assert 2 * U50.port_bytes * U50.clock_hz < 14.375e9 < 2 * U50.port_bytes * 225e6
    assert U50.dram.bytes // U50.stripes == 256 * 2**20


def test_u50_fits_its_board() -> None:
    total = fpga_resources(U50, uram_depth=4096).total
    assert total.uram == 16 * 20 + 16 + 2 * 36 + 15 + 2 * 8  # PB, DB, SB, OB and its output side; of 640
    assert total.bram36 == 32
    assert total.dsps <= 5952 // 2 and total.luts <= 871_680 // 2 and total.ffs <= 1_743_360 // 2  # of two dies


@pytest.mark.parametrize("name", ["small", "u50", "zcu104"])
def test_a_half_of_the_db_holds_any_k_tile_of_ofa_resnet50(name: str) -> None:
    a = Accelerator.load(name)
    assert a.groups(720) <= a.db_half_tiles and -(-2048 // (9 * a.cp)) <= a.db_half_tiles
    assert -(-2048 // a.kp) <= a.zsb_half_entries


def test_zcu104_fits_its_board() -> None:
    """An UltraRAM is 4096 words of 72 bits, a block RAM 512 of them, or 4096 of one byte with its own enable."""

    def blocks(banks: int, words: int, word_bytes: int, depth: int) -> int:
        return banks * math.ceil(8 * word_bytes / 72) * math.ceil(words / depth)

    a = ZCU104
    ultra = (
        blocks(1, a.pb_tiles * a.kp, 9 * a.cp, 4096)
        + blocks(1, 2 * a.db_half_tiles * a.kp, 9 * a.cp, 4096)
        + blocks(9 * a.pixels, 2 * a.sb_half_words // a.pixels, a.cp, 4096)
    )
    block = (
        blocks(1, a.ob_pixels, 4 * a.kp, 512)
        + blocks(a.nb * a.pixels * a.cp, 2 * a.out_half_words // a.pixels, 1, 4096)
        + blocks(1, 2 * a.zsb_half_entries, 8 * a.kp, 512)
    )
    assert (ultra, block) == (90, 139)  # of 96 and 312


def test_a_tile_is_padded_to_whole_beats() -> None:
    odd = TINY.replace(array={"kp": 1, "cp": 1})  # 9 bytes in beats of 4
    assert (odd.tile_bytes_raw, odd.tile_beats, odd.tile_bytes) == (9, 3, 12)
    assert odd.pb_tiles == 49152 // 9  # on chip it is not padded


@properties
@given(st.integers(1, 63), st.integers(1, 63))
def test_nb_is_the_most_groups_that_a_k_tile_touches(kp: int, cp: int) -> None:
    changes: dict[str, Any] = {
        "array": {"kp": kp, "cp": cp},
        "axi": {"data_bits": 64},
        "buffers": {
            "pb_bytes": 0,
            "db_bytes": 18 * kp * cp,
            "sb_bytes": 18 * cp,
            "ob_bytes": 4 * kp,
            "ob_out_bytes": 8192 * cp,
            "zsb_bytes": 16 * kp,
        },
    }
    touched = max((first + kp - 1) // cp - first // cp + 1 for first in range(0, kp * cp, kp))
    if touched > 16:  # banks, which a command numbers with four bits
        with pytest.raises(AcceleratorError, match=rf"array.kp is {kp}; give so few.* in up to {touched} groups"):
            TINY.replace(**changes)
    else:
        assert TINY.replace(**changes).nb == touched


def test_a_beat_of_weights_is_one_that_a_dma_moves() -> None:
    wide: dict[str, Any] = {"array": {"kp": 32}, "buffers": {"ob_out_bytes": 1 << 16}}
    assert TINY.replace(axi={"data_bits": 512, "weight_stripes": 2, "max_burst": 8}, **wide).weight_beat_bytes == 128
    with pytest.raises(AcceleratorError, match=r"axi.weight_stripes is 4; give at most 2: a beat has 128 bytes"):
        TINY.replace(axi={"data_bits": 512, "weight_stripes": 4, "max_burst": 8}, **wide)


@pytest.mark.parametrize("latency", [1, 2, 7, 400])
def test_a_beat_takes_no_longer_than_a_load_after_another(latency: int) -> None:
    dram = {"latency_cycles": latency, "cycles_per_beat": latency + 3}
    assert TINY.replace(dram=dram).dram.cycles_per_beat == latency + 3
    with pytest.raises(AcceleratorError, match=rf"dram.cycles_per_beat is {latency + 4}; give 1 to {latency + 3} "):
        TINY.replace(dram=dram | {"cycles_per_beat": latency + 4})


def test_addresses_are_as_wide_as_the_commands_have_them() -> None:
    widths = {(op, field.name): field.bits for op, fields in isa.FIELDS.items() for field in fields}
    for op, name in (
        (isa.Opcode.LOAD_ACT, "sb_base"),
        (isa.Opcode.LOAD_WGT, "slot"),
        (isa.Opcode.PASS, "sb_base"),
        (isa.Opcode.PASS, "slot"),
        (isa.Opcode.PASS, "out_base"),
        (isa.Opcode.STORE, "out_base"),
        (isa.Opcode.STORE, "pixels"),
    ):
        assert widths[op, name] == module.ADDRESS_BITS
    assert widths[isa.Opcode.PASS, "zsb"] == module.ZSB_ADDRESS_BITS
    assert widths[isa.Opcode.LOAD_ACT, "addr"] == DRAM_ADDRESS_BITS


# ---------------------------------------------------------------------------- files and identity


def test_presets_are_found_by_name_and_carry_it() -> None:
    assert preset_names() == ("small", "tiny", "u50", "zcu104")
    for name in preset_names():
        assert Accelerator.load(name).name == name


def test_every_number_of_a_preset_says_what_it_counts() -> None:
    units = ("bytes", "bits", "beats", "cycles", "nanoseconds", "hertz", "filters", "channels", "port", "row")
    for name in preset_names():
        above, keys = "", []
        for line in (Path(module.__file__).parents[1] / "presets" / f"{name}.yaml").read_text().splitlines():
            code, _, comment = line.partition("#")
            if not code.strip():
                above += comment
                continue
            key, _, value = code.strip().partition(":")
            if value.strip() and key not in ("format", "name", "device"):
                keys.append(key)
                assert any(unit in comment or unit in above for unit in units), f"{name}: {line}"
            above = ""
        assert len(keys) == {"small": 17, "tiny": 14, "u50": 18, "zcu104": 18}[name]


def test_the_hash_is_of_the_content(tmp_path: Path) -> None:
    path = tmp_path / "copy.yaml"
    path.write_text("# another layout\n" + edited(None, clock_hz=1.0e8), encoding="utf-8")
    copy = Accelerator.load(path)
    assert copy == TINY and copy.hash() == TINY.hash()
    assert len(TINY.hash()) == 12 and int(TINY.hash(), 16) >= 0
    others = [
        TINY.replace(buffers={"pb_bytes": 0}),
        TINY.replace(clock_hz=2e8),
        TINY.replace(name="t"),
        ZCU104,
    ]
    assert len({TINY.hash(), *(other.hash() for other in others)}) == 5


def test_replace_checks_again() -> None:
    small = TINY.replace(name="small", buffers={"pb_bytes": 107})
    assert small.pb_tiles == 0 and small.buffers.db_bytes == TINY.buffers.db_bytes
    with pytest.raises(AcceleratorError, match=r"accelerator tiny: buffers.pb_bytes is -5; give 0 or more bytes"):
        TINY.replace(buffers={"pb_bytes": -5})
    with pytest.raises(AcceleratorError, match=r"accelerator tiny: clock is not a key; did you mean clock_hz\?"):
        TINY.replace(clock=3)
    with pytest.raises(AcceleratorError, match=r"accelerator made: array is missing; give a section with kp, cp"):
        Accelerator(name="made")  # type: ignore[call-arg]


def test_it_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError, match=r"frozen"):
        TINY.array.kp = 8  # type: ignore[misc]


# -------------------------------------------------------------------------------- wrong content


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("buffers", {"pb_bytes": -5}, "buffers.pb_bytes is -5; give 0 or more bytes, a whole number"),
        (
            "buffers",
            {"pb_bytes": "48 KiB"},
            "buffers.pb_bytes is '48 KiB'; give 0 or more bytes, a whole number",
        ),
        (
            "buffers",
            {"pb_bytes": 49152.0},
            "buffers.pb_bytes is 49152.0; give 0 or more bytes, a whole number",
        ),
        ("buffers", {"pb_bytes": None}, "buffers.pb_bytes is None; give 0 or more bytes, a whole number"),
        ("buffers", {"pb_bytes": ...}, "buffers.pb_bytes is missing; give 0 or more bytes, a whole number"),
        (
            "buffers",
            {"pb_byte": 3},
            "buffers.pb_byte is not a key; did you mean pb_bytes? known here: "
            "pb_bytes, db_bytes, sb_bytes, ob_bytes, ob_out_bytes, zsb_bytes",
        ),
        ("axi", {"colour": "red"}, "axi.colour is not a key; known here: data_bits, max_burst"),
        ("axi", {7: 8}, "axi.7 is not a key; known here: data_bits, max_burst"),
        (None, {"array": 5}, "array is 5; give a section with kp, cp"),
        (None, {"array": ...}, "array is missing; give a section with kp, cp"),
        (
            None,
            {"clock_hz": "100e6"},
            "clock_hz is '100e6'; give 1000 to 4e+09 hertz, a number such as 100_000_000",
        ),
        (None, {"clock_hz": 0}, "clock_hz is 0; give 1000 to 4e+09 hertz, a number such as 100_000_000"),
        (None, {"clock_hz": math.inf}, "clock_hz is inf; give 1000 to 4e+09 hertz, a number such as 100_000_000"),
        (None, {"clock_hz": True}, "clock_hz is True; give 1000 to 4e+09 hertz, a number such as 100_000_000"),
        (None, {"name": "two\nlines"}, r"name is 'two\nlines'; give a text of letters"),
        ("array", {"kp": 0}, "array.kp is 0; give 1 to 63 filters"),
        ("array", {"cp": 64}, "array.cp is 64; give 1 to 63 channels"),
        ("array", {"cp": True}, "array.cp is True; give 1 to 63 channels"),
        ("axi", {"data_bits": 48}, "axi.data_bits is 48; give a power of two in 32..1024"),
        ("axi", {"data_bits": 16}, "axi.data_bits is 16; give bits, a power of two in 32..1024"),
        ("axi", {"data_bits": 2048}, "axi.data_bits is 2048; give bits, a power of two in 32..1024"),
        ("axi", {"max_burst": 12}, "axi.max_burst is 12; give a power of two in 2..256"),
        ("axi", {"max_burst": 1}, "axi.max_burst is 1; give beats, a power of two in 2..256"),
        (
            "axi",
            {"data_bits": 256, "max_burst": 256},
            "axi.max_burst is 256; give at most 128 beats of 32 bytes (4 KiB)",
        ),
        (
            "axi",
            {"data_bits": 512},
            "axi.data_bits is 512; give bits that, with axi.weight_stripes, divide a ZSB entry "
            "(256 bits, 64 for each of array.kp = 4 filters)",
        ),
        ("dram", {"bytes": 2**32 + 64}, "dram.bytes is 4294967360; give 1 to 2**32 bytes, a whole number"),
        ("dram", {"bytes": 1000}, "dram.bytes is 1000; give a multiple of the longest burst, 64 bytes"),
        (
            "dram",
            {"latency_cycles": 0},
            "dram.latency_cycles is 0; give 1 to 100000 clock cycles, a whole number",
        ),
        ("dram", {"cycles_per_beat": 1.5}, "dram.cycles_per_beat is 1.5; give 1 to 100000 clock cycles"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_legal(
    section: str | None, changes: dict[Any, Any], message: str, tmp_path: Path
) -> None:
    data = yaml.safe_load(edited(section, **{k: v for k, v in changes.items() if isinstance(k, str)}))
    (data[section] if section else data).update({k: v for k, v in changes.items() if not isinstance(k, str)})
    assert error_of(yaml.safe_dump(data), tmp_path).startswith(f"accelerator a.yaml: {message}")


@pytest.mark.parametrize(
    ("key", "least", "most", "unit"),
    [
        # 108 bytes a tile; nine banks of 3 bytes; 4 int32; two banks of 3 bytes; 4 filters of 8 bytes
        ("pb_bytes", 0, 65536 * 108, "0 to 65536 tile slots, 108 bytes each"),
        ("db_bytes", 216, 32768 * 216, "1 to 32768 weight tiles a half, 216 bytes each"),
        ("sb_bytes", 54, 32768 * 54, "1 to 32768 windows of 3 x 3 x CP a half, 54 bytes each"),
        ("ob_bytes", 16, 65536 * 16, "1 to 65536 pixels of KP int32, 16 bytes each"),
        # a chunk of lcm(4, 3) = 12 channels is four groups, two words in each of two banks
        ("ob_out_bytes", 24, 32768 * 12, "2 to 32768 words a bank and half, 12 bytes each"),
        ("zsb_bytes", 64, 512 * 64, "1 to 512 entries a half, 64 bytes each"),
    ],
)
def test_the_least_and_the_most_a_buffer_can_hold(key: str, least: int, most: int, unit: str, tmp_path: Path) -> None:
    for legal in (least, most):
        assert getattr(TINY.replace(buffers={key: legal}).buffers, key) == legal
    wrong = [most + most] if least == 0 else [0, least - 1, most + most]
    for value in wrong:
        message = f"buffers.{key} is {value}; give {least} to {most} bytes ({unit})"
        assert error_of(edited("buffers", **{key: value}), tmp_path) == f"accelerator a.yaml: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\narray: {kp: 4\nclock_hz: 3\n", "accelerator a.yaml, line 3: not YAML: "),
        ("name: a\n\tclock_hz: 3\n", "accelerator a.yaml, line 2: not YAML: found "),
        (
            "name: a\narray:\n  kp: 4\n  kp: 5\n",
            "accelerator a.yaml, line 4: key kp is given twice; give it once",
        ),
        ("name: a\x01\n", "accelerator a.yaml: not YAML: "),
        ("day: 2024-13-45\n", "accelerator a.yaml: not YAML: month must be in 1..12"),
        ("? [a, b]\n: 3\n", "accelerator a.yaml, line 1: a list or mapping stands where a key should"),
        ("", "accelerator a.yaml holds None; give a mapping with the keys name, array, clock_hz,"),
        ("- tiny\n", "accelerator a.yaml holds ['tiny']; give a mapping with the keys name,"),
        ("name: a\n", "accelerator a.yaml: array is missing; give a section with kp, cp"),
    ],
)
def test_a_file_that_is_not_a_description(text: str, message: str, tmp_path: Path) -> None:
    assert error_of(text, tmp_path).startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AcceleratorError) as error:
        Accelerator.load("tinny")
    assert str(error.value) == (
        "accelerator tinny is neither a file nor a preset (did you mean tiny?); "
        "give a YAML file or one of: small, tiny, u50, zcu104"
    )
    with pytest.raises(AcceleratorError, match=r"accelerator no/such.yaml is neither a file nor a preset; give"):
        Accelerator.load("no/such.yaml")
    with pytest.raises(AcceleratorError, match=r"cannot be read .Is a directory.; give a YAML file or one of: small"):
        Accelerator.load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(AcceleratorError, match=r"accelerator latin.yaml: byte 9 is not UTF-8; give a YAML file"):
        Accelerator.load("latin.yaml")
