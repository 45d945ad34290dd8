"""The shipped weights: legal integers, the accuracy they claim, and clear errors for any other file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arch_model.errors import WeightsError
from arch_model.network.quant import requantize, rounding_shift
from arch_model.network.weights import (
    DEFAULT_PATH,
    AddQuant,
    ConvQuant,
    MaxPoolQuant,
    PoolQuant,
    QuantizedSubNet,
    ScaleQuant,
    SuperNetWeights,
    load_weights,
    save_weights,
)

SMALLEST, LARGEST = "fashion-d111-w222", "fashion-d222-w444"


@pytest.fixture(scope="module")
def fashion() -> SuperNetWeights:
    return load_weights()


def inputs_of(subnet: QuantizedSubNet) -> dict[str, tuple[str, ...]]:
    """What each operator reads, from the names alone."""
    reads: dict[str, tuple[str, ...]] = {"stem": ("image",)}
    x = "stem"
    for i, depth in enumerate(subnet.depth, 1):
        for j in range(1, depth + 1):
            b = f"s{i}b{j}"
            reads[f"{b}_conv1"] = (x,)
            reads[f"{b}_conv2"] = (f"{b}_conv1",)
            if j == 1:
                reads[f"{b}_down"] = (x,)
            reads[f"{b}_add"] = (f"{b}_conv2", f"{b}_down" if j == 1 else x)
            x = f"{b}_add"
    return reads | {"pool": (x,), "linear": ("pool",)}


def tap_sum(x: np.ndarray, w: np.ndarray, stride: int) -> np.ndarray:
    """The convolution by its definition, a kernel tap at a time; x is (N, H, W, C), its zero point at 0."""
    r, side = w.shape[2], -(-x.shape[1] // stride)
    padded = np.pad(x.astype(np.float64), ((0, 0), (r // 2,) * 2, (r // 2,) * 2, (0, 0)))
    reach = stride * (side - 1) + 1
    taps = (
        padded[:, dy : dy + reach : stride, dx : dx + reach : stride] @ w[:, :, dy, dx].T.astype(np.float64)
        for dy in range(r)
        for dx in range(r)
    )
    return sum(taps).astype(np.int64)


def top1(weights: SuperNetWeights, subnet: QuantizedSubNet, count: int) -> float:
    values = {"image": weights.images[:count, :, :, None].astype(np.int64) - 128}
    reads = inputs_of(subnet)
    for name, op in subnet.ops.items():
        x = values[reads[name][0]]
        if isinstance(op, AddQuant):
            b = values[reads[name][1]]
            y = rounding_shift((x - op.z_a) * op.m_a + (b - op.z_b) * op.m_b, op.shift) + op.z_out
            values[name] = np.clip(y, op.lo, op.hi)
        elif isinstance(op, PoolQuant):
            y = rounding_shift((x - op.z_in).sum((1, 2)) * op.m, op.shift) + op.z_out
            values[name] = np.clip(y, op.lo, op.hi)[:, None, None]
        else:
            stride = 2 if name.endswith(("b1_conv1", "b1_down")) else 1
            w = weights.layers[name][: len(op.bias), : x.shape[-1]]
            acc = tap_sum(x - op.z_in, w, stride)
            y = requantize(acc, op.bias, op.multiplier, op.shift, op.z_out, op.lo, op.hi)
            values[name] = y.astype(np.int64)
    logits = values["linear"].reshape(count, -1)
    return float((logits.argmax(1) == weights.labels[:count]).mean())


def test_the_stored_subnets_span_accuracy_and_macs(fashion: SuperNetWeights) -> None:
    subnets = list(fashion.subnets.values())
    assert len(subnets) >= 16
    assert (subnets[0].name, subnets[-1].name) == (SMALLEST, LARGEST)
    assert subnets == sorted(subnets, key=lambda s: s.macs)
    best = max(subnets, key=lambda s: s.top1)
    assert best.top1 >= 0.905
    assert subnets[0].top1 >= 0.87
    assert best.macs >= 5 * subnets[0].macs
    assert DEFAULT_PATH.stat().st_size <= 4_000_000


def test_shapes_and_names(fashion: SuperNetWeights) -> None:
    assert fashion.layers["stem"].shape == (16, 1, 3, 3)
    assert fashion.layers["s1b1_down"].shape == (24, 16, 1, 1)
    assert fashion.layers["s2b1_conv1"].shape == (48, 24, 3, 3)
    assert fashion.layers["linear"].shape == (10, 96, 1, 1)
    assert fashion.images.shape == (1000, 28, 28)
    assert fashion.labels.shape == (1000,)
    for name, subnet in fashion.subnets.items():
        assert subnet.name == name
        assert list(subnet.ops) == list(inputs_of(subnet))
        quarters = "".join(str(4 * w // full) for w, full in zip(subnet.width, (24, 48, 96), strict=True))
        assert name == f"fashion-d{''.join(map(str, subnet.depth))}-w{quarters}"
        widths = {"stem": 16, "linear": 10} | {f"s{i}": w for i, w in enumerate(subnet.width, 1)}
        for op, quant in subnet.ops.items():
            if isinstance(quant, ConvQuant):
                k = widths.get(op) or widths[op[:2]]
                assert quant.bias.shape == quant.multiplier.shape == quant.shift.shape == (k,)


def test_macs_by_hand(fashion: SuperNetWeights) -> None:
    # Smallest: widths 12, 24, 48 at 14 x 14, 7 x 7, 4 x 4; one block a stage.
    stem = 16 * 1 * 9 * 28 * 28
    first = (12 * 16 * 9 + 12 * 12 * 9 + 12 * 16) * 14 * 14
    second = (24 * 12 * 9 + 24 * 24 * 9 + 24 * 12) * 7 * 7
    third = (48 * 24 * 9 + 48 * 48 * 9 + 48 * 24) * 4 * 4
    assert fashion.subnets[SMALLEST].macs == stem + first + second + third + 10 * 48 == 1_654_944


def test_every_integer_fits_the_hardware(fashion: SuperNetWeights) -> None:
    for subnet in fashion.subnets.values():
        reads = inputs_of(subnet)
        for name, op in subnet.ops.items():
            sources = [subnet.ops[n].z_out if n != "image" else -128 for n in reads[name]]
            zeros = [op.z_a, op.z_b] if isinstance(op, AddQuant) else [op.z_in]
            assert zeros == sources, (subnet.name, name)
            assert -128 <= op.lo <= op.z_out <= op.hi <= 127
            relu = name == "stem" or name.endswith(("_conv1", "_add"))
            assert op.z_out == (-128 if relu or name == "pool" else 0)
            if isinstance(op, ConvQuant):
                m = op.multiplier
                assert np.all((m == 0) | ((m >= 2**25) & (m < 2**26)))
                assert np.all((op.shift >= 0) & (op.shift <= 63))
                reach = 255 * np.abs(fashion.layers[name].astype(np.int64)).sum((1, 2, 3))[: len(m)]
                assert np.all(reach + np.abs(op.bias.astype(np.int64)) < 2**31)
            else:
                multipliers = (op.m_a, op.m_b) if isinstance(op, AddQuant) else (op.m,)
                assert all(0 <= m < 2**24 for m in multipliers)
                assert 0 <= op.shift <= 63


def test_filters_use_the_full_range(fashion: SuperNetWeights) -> None:
    for name, w in fashion.layers.items():
        assert np.abs(w.astype(int)).max((1, 2, 3)).tolist() == [127] * len(w), name


@pytest.mark.parametrize(("name", "count"), [(SMALLEST, 1000), (LARGEST, 200)])
def test_integers_reach_the_stored_accuracy(fashion: SuperNetWeights, name: str, count: int) -> None:
    subnet = fashion.subnets[name]
    measured = top1(fashion, subnet, count)
    if count == len(fashion.images):
        assert measured == pytest.approx(subnet.top1_subset, abs=1e-9)
    assert measured >= 0.85


def test_arrays_are_read_only(fashion: SuperNetWeights) -> None:
    with pytest.raises(ValueError, match="read-only"):
        fashion.layers["stem"][0] = 0
    with pytest.raises(ValueError, match="read-only"):
        fashion.subnets[SMALLEST].ops["stem"].bias[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        fashion.images[0] = 0


def test_licence_ships_beside_the_data() -> None:
    text = (DEFAULT_PATH.parent / "LICENSE-fashion-mnist.txt").read_text()
    assert "Zalando SE" in text
    assert "Permission is hereby granted" in text


def tiny() -> SuperNetWeights:
    layers = {"stem": np.array([[[[1]]], [[[-2]]]], np.int8)}
    stem = ConvQuant(*np.array([[3, -4], [2**25, 0], [26, 0]], np.int32), -128, -128, -128, 127)
    add = AddQuant(5, 6, 7, 0, -128, -128, -128, 127)
    pool = PoolQuant(9, 10, -128, -128, -128, 127)
    small = QuantizedSubNet("small", (1,), (1,), 784, 0.5, 0.25, 0.75, {"stem": stem, "pool": pool})
    large = QuantizedSubNet("large", (2,), (2,), 999, 1, 0, 1, {"stem": stem, "add": add, "pool": pool})
    images, labels = np.zeros((2, 28, 28), np.uint8), np.array([7, 8], np.uint8)
    return SuperNetWeights(layers, {"large": large, "small": small}, images, labels, {"seed": 1})


def test_saved_file_reads_back(tmp_path: Path) -> None:
    save_weights(tmp_path / "tiny.npz", tiny())
    read = load_weights(tmp_path / "tiny.npz")
    assert list(read.subnets) == ["small", "large"]  # by MACs
    assert read.metadata == {"seed": 1}
    assert read.layers["stem"].tolist() == [[[[1]]], [[[-2]]]]
    assert read.labels.tolist() == [7, 8]
    small, large = read.subnets["small"], read.subnets["large"]
    assert list(small.ops) == ["stem", "pool"]
    assert list(large.ops) == ["stem", "add", "pool"]
    assert large.ops["add"] == AddQuant(5, 6, 7, 0, -128, -128, -128, 127)
    assert small.ops["pool"] == PoolQuant(9, 10, -128, -128, -128, 127)
    assert (small.macs, small.top1, small.top1_subset, small.top1_float) == (784, 0.5, 0.25, 0.75)
    stem = large.ops["stem"]
    assert [stem.bias.tolist(), stem.multiplier.tolist(), stem.shift.tolist()] == [
        [3, -4],
        [2**25, 0],
        [26, 0],
    ]
    assert (stem.z_in, stem.z_out, stem.lo, stem.hi) == (-128, -128, -128, 127)
    assert stem.table is None


def test_tables_and_the_operators_of_one_channel_read_back(tmp_path: Path) -> None:
    before = tiny()
    table = np.arange(-128, 128).astype(np.int8)[::-1]
    ops = {
        **before.subnets["large"].ops,
        "stem": replace(before.subnets["large"].ops["stem"], table=table),
        "max": MaxPoolQuant(-3, 9),
        "scale": ScaleQuant(1, 2, 3, 4, 5, 6, -7, 8),
    }
    subnets = {**before.subnets, "large": replace(before.subnets["large"], ops=ops)}
    save_weights(tmp_path / "tiny.npz", replace(before, subnets=subnets))
    read = load_weights(tmp_path / "tiny.npz").subnets["large"].ops
    assert read["stem"].table.tolist() == table.tolist()
    assert (read["max"], read["scale"]) == (MaxPoolQuant(-3, 9), ScaleQuant(1, 2, 3, 4, 5, 6, -7, 8))


def test_an_average_is_divided_by_the_taps_inside() -> None:
    """3/8 of four taps are 3/2 of one. 2**24 - 1 times 9 has 28 bits: two less, and the nearest; or all of 26."""
    assert PoolQuant(3, 3, 0, 0, -128, 127).divided_by(1, 4) == (12, 3)
    assert PoolQuant(100, 10, 0, 0, -128, 127).divided_by(6, 9) == (150, 10)
    assert PoolQuant(2, 10, 0, 0, -128, 127).divided_by(2, 3) == (3, 10)
    most = PoolQuant((1 << 24) - 1, 30, 0, 0, -128, 127)
    assert most.divided_by(1, 9) == (round(9 * ((1 << 24) - 1) / 4), 28) and most.divided_by(4, 4) == (most.m, 30)
    assert PoolQuant((1 << 24) - 1, 1, 0, 0, -128, 127).divided_by(1, 9) == ((1 << 26) - 1, 0)


def written(path: Path, lost: str = "", **changed: np.ndarray) -> Path:
    """``tiny`` on disk, without the arrays whose names begin with ``lost`` and with some changed."""
    save_weights(path, tiny())
    with np.load(path) as npz:
        arrays = {key: npz[key] for key in npz.files if not (lost and key.startswith(lost))}
    np.savez(path, **(arrays | changed))
    return path


def test_every_layer_says_its_number_format(tmp_path: Path) -> None:
    save_weights(tmp_path / "tiny.npz", tiny())
    with np.load(tmp_path / "tiny.npz") as npz:
        assert str(npz["format"]) == "fastswitch-weights-2"
        assert {key: str(npz[key]) for key in npz.files if key.startswith("number/")} == {"number/stem": "int8"}


def test_a_file_of_0_1_0_is_read(tmp_path: Path) -> None:
    """Format 1 does not say number formats: all are int8. The file of ``fashion`` that ships is one of 0.1.0."""
    path = written(tmp_path / "old.npz", lost="number/", format=np.array("fastswitch-weights-1"))
    assert load_weights(path).layers["stem"].tolist() == tiny().layers["stem"].tolist()
    with np.load(DEFAULT_PATH) as npz:
        assert str(npz["format"]) == "fastswitch-weights-1"
    save_weights(tmp_path / "new.npz", load_weights())
    again, before = load_weights(tmp_path / "new.npz"), load_weights()
    assert again.metadata == before.metadata and list(again.subnets) == list(before.subnets)
    assert all(np.array_equal(again.layers[name], w) for name, w in before.layers.items())


@pytest.mark.parametrize(
    ("lost", "changed", "message"),
    [
        (
            "",
            {"format": np.array("fastswitch-weights-3")},
            "of format fastswitch-weights-3, which a newer fastswitch wrote",
        ),
        ("", {"format": np.array("fastswitch-weights-" + "9" * 99)}, "which a newer fastswitch wrote"),
        ("", {"format": np.array("other")}, "not a weights file; give an npz of format fastswitch-weights-2"),
        ("", {"number/stem": np.array("int4")}, "layer stem is in int4; this version reads int8"),
        ("", {"number/stem": np.array("x" * 500)}, "this version reads int8"),
        ("", {"number/stem": np.array(8)}, "number/stem is int64"),
        ("number/", {}, "number/ of stem is missing or unknown"),
        ("", {"number/other": np.array("int8")}, "number/ of other is missing or unknown"),
        ("", {"layer/stem": np.zeros((2, 1, 1, 1), np.int16)}, "layer stem is int16 (2, 1, 1, 1), not int8"),
    ],
)
def test_formats_that_are_refused(tmp_path: Path, lost: str, changed: dict[str, np.ndarray], message: str) -> None:
    text = refuses(written(tmp_path / "tiny.npz", lost, **changed))
    assert message in text and len(text) < len(str(tmp_path)) + 400


def test_weights_of_other_types_are_not_written(tmp_path: Path) -> None:
    other = replace(tiny(), layers={"stem": np.zeros((2, 1, 1, 1), np.float32)})
    with pytest.raises(WeightsError, match="layer stem is float32; give weights in int8"):
        save_weights(tmp_path / "tiny.npz", other)
    assert not (tmp_path / "tiny.npz").exists()


def refuses(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load_weights(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def test_missing_file(tmp_path: Path) -> None:
    assert "not a weights file: it" in refuses(tmp_path / "none.npz")
    assert "not a weights file: it" in refuses(tmp_path)  # a directory


@pytest.mark.parametrize("kept", [0, 1, 2, 30, 0.3, 0.9, 0.999])
def test_truncated_file(tmp_path: Path, kept: float) -> None:
    raw = DEFAULT_PATH.read_bytes()
    path = tmp_path / "cut.npz"
    path.write_bytes(raw[: int(kept * len(raw)) if kept < 1 else int(kept)])
    assert "not a weights file" in refuses(path) if kept in (0, 1) else "cut off or damaged" in refuses(path)


def test_damaged_byte(tmp_path: Path) -> None:
    raw = bytearray(DEFAULT_PATH.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path = tmp_path / "damaged.npz"
    path.write_bytes(raw)
    assert "cut off or damaged" in refuses(path)


def test_foreign_files(tmp_path: Path) -> None:
    text, other = tmp_path / "text.npz", tmp_path / "other.npz"
    text.write_text("hello")
    np.savez(other, x=np.zeros(3))
    for path in (text, other):
        assert "not a weights file" in refuses(path)
        assert "fastswitch-weights-2" in refuses(path)


@pytest.mark.parametrize("lost", ["labels", "layer/stem", "scalars/add", "channels/stem", "kind/pool", "subnet/macs"])
def test_incomplete_file(tmp_path: Path, lost: str) -> None:
    save_weights(tmp_path / "tiny.npz", tiny())
    with np.load(tmp_path / "tiny.npz") as npz:
        arrays = {key: npz[key] for key in npz.files if key != lost}
    np.savez(tmp_path / "tiny.npz", **arrays)
    assert "inconsistent weights file" in refuses(tmp_path / "tiny.npz")


@pytest.mark.parametrize(
    ("key", "array"),
    [
        ("layer/stem", np.zeros((2, 1, 1, 1), np.float32)),
        ("labels", np.zeros(3, np.uint8)),
        ("scalars/stem", np.full((2, 5), 3, np.int32)),  # 3 channels of a layer with 2
        ("scalars/add", np.ones((2, 4), np.int32)),
        ("kind/stem", np.array("Softmax")),
        ("metadata", np.array("{")),
        ("subnet/depth", np.array([1, 2])),
    ],
)
def test_inconsistent_file(tmp_path: Path, key: str, array: np.ndarray) -> None:
    save_weights(tmp_path / "tiny.npz", tiny())
    with np.load(tmp_path / "tiny.npz") as npz:
        arrays = {name: npz[name] for name in npz.files} | {key: array}
    np.savez(tmp_path / "tiny.npz", **arrays)
    assert "inconsistent weights file" in refuses(tmp_path / "tiny.npz")
