"""A weights file that is damaged in one way is refused in one line that names the file, the array and what is right."""

from pathlib import Path

import numpy as np
import pytest

from arch_model.errors import WeightsError
from arch_model.network.operator_integers import AddQuant, ConvQuant, MaxPoolQuant
from arch_model.network.weights import load_weights, save_weights
from arch_model.network.weights_arrays import operators_of, pack_operators
from sim.integers.random_weights import random_weights
from tests.own_supernet import own_supernet

TOY = own_supernet()
NAMES = ("toy-46", "toy-88")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    path = tmp_path_factory.mktemp("weights") / "toy.npz"
    save_weights(path, random_weights(TOY, dict.fromkeys(NAMES, 0.5), seed=1))
    assert list(load_weights(path, TOY).subnets) == list(NAMES)
    with np.load(path) as npz:
        return {key: npz[key] for key in npz.files}


def refused(folder: Path, arrays: dict[str, np.ndarray]) -> str:
    path = folder / "broken.npz"
    np.savez(path, **arrays)
    with pytest.raises(WeightsError) as caught:
        load_weights(path, TOY)
    text = str(caught.value)
    assert (text.startswith(f"{path}: ") and "\n" not in text and "; give " in text) or "; write " in text
    assert len(text) < len(str(path)) + 400
    return text.removeprefix(f"{path}: ")


def test_every_array_is_needed(tmp_path: Path, whole: dict[str, np.ndarray]) -> None:
    """But those of what a file may lack; each missing one is named."""
    for lost in whole:
        if lost in ("space", "subnet/config"):
            continue
        text = refused(tmp_path, {key: array for key, array in whole.items() if key != lost})
        assert lost == "format" or lost.split("/")[-1] in text or lost.partition("/")[0] in text, (lost, text)


def test_every_array_has_its_type(tmp_path: Path, whole: dict[str, np.ndarray]) -> None:
    for key, array in whole.items():
        other = np.zeros(array.shape, np.complex64)
        text = refused(tmp_path, whole | {key: other})
        assert key == "format" or f"{key} is complex64" in text, (key, text)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("layer/stem", lambda a: a[:, :2], "layer stem is (8, 2, 3, 3); SuperNet toy has (8, 3, 3, 3)"),
        ("layer/conv", lambda a: a[:-1], "conv has 8 channels, its layer 7"),
        ("layer/stem", lambda a: a.astype(np.int32), "layer stem is int32 (8, 3, 3, 3), not int8 (K, C, R, S)"),
        ("layer/stem", lambda a: a.ravel(), "layer/stem is int8 (216,), not integers of 4 dimensions"),
        ("number/stem", lambda a: np.array("int4"), "layer stem is in int4; this version reads int8"),
        ("format", lambda a: np.array("fastswitch-weights-9"), "of format fastswitch-weights-9, which a newer"),
        ("kind/add", lambda a: np.array("Softmax"), "operator add is of kind Softmax; this version has ConvQuant"),
        ("kind/add", lambda a: np.array("PoolQuant"), "operator add has 8 scalars, a PoolQuant 6"),
        ("scalars/stem", lambda a: a[:1], "scalars/stem has 1 rows for 2 SubNets"),
        ("channels/stem", lambda a: a[:, :, :-1], "channels/stem is (2, 3, 7), not (SubNets, 3, 8)"),
        ("subnet/top1", lambda a: a + 1, "subnet/top1 has 1.5; accuracies are fractions of 1"),
        ("labels", lambda a: a[:-1], "16 images but 15 labels"),
        ("images", lambda a: a[:, :1], "images are (16, 1, 12, 12); SubNet toy-46 reads C, H, W = (3, 12, 12)"),
        ("subnet/name", lambda a: np.array(["toy-46", "moon"]), "SubNet moon: SuperNet toy has no such SubNet"),
        ("subnet/name", lambda a: np.array(["toy-46", "toy-46"]), "two SubNets have one name"),
        ("subnet/name", lambda a: np.array(["toy-86", "toy-88"]), "has integers of 4 channels, not 8"),
        ("space", lambda a: np.array("moon"), "weights of SuperNet moon; give those of toy"),
        ("metadata", lambda a: np.array("[1]"), "metadata is no JSON object"),
        ("metadata", lambda a: np.array("{"), "not JSON"),
        ("subnet/config", lambda a: np.array(["{}", "3"]), "a config is 3"),
        ("supernet", lambda a: np.frombuffer(b'{"name": 5}', np.uint8), "its SuperNet is not a name and SubNets"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, whole: dict[str, np.ndarray], key, change, message) -> None:
    assert message in refused(tmp_path, whole | {key: change(whole.get(key))})


@pytest.mark.parametrize(
    ("key", "place", "value", "message"),
    [
        ("channels/stem", (0, 1, 0), 7, "a multiplier of stem is 7; 0 or 33554432 to 67108863 is right"),
        ("channels/stem", (0, 2, 1), 64, "a shift of stem is 64; 0 to 63 is right"),
        ("scalars/stem", (1, 1), 200, "z_in of operator stem is 200; -128 to 127 is right"),
        ("scalars/stem", (1, 0), 9, "stem has 9 channels, its layer 8"),
        ("scalars/add", (0, 1), 1 << 24, "m_a of operator add is 16777216; 0 to 16777215 is right"),
        ("scalars/add", (0, 3), -1, "shift of operator add is -1; 0 to 63 is right"),
        ("scalars/pool", (0, 0), 0, "SubNet toy-46: layer pool has no integers"),
        ("scalars/stem", (0, 2), 5, "SubNet toy-46: layer conv reads stem about the zero point"),
    ],
)
def test_integers_out_of_range_are_named(
    tmp_path: Path, whole: dict[str, np.ndarray], key, place, value, message
) -> None:
    array = whole[key].copy()
    array[place] = value
    assert message in refused(tmp_path, whole | {key: array})


def test_an_operator_of_two_kinds_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="operator a is AddQuant and MaxPoolQuant in different SubNets"):
        pack_operators([{"a": MaxPoolQuant()}, {"a": AddQuant(1, 1, 1, 0, 0, 0, -128, 127)}], {})


def test_a_table_of_one_subnet_alone() -> None:
    """The other one's is that which changes nothing."""
    ints = np.array([[1], [1 << 25], [26]], np.int32)
    bare = ConvQuant(*ints, 0, 0, -128, 127)
    bent = ConvQuant(*ints, 0, 0, -128, 127, np.zeros(256, np.int8))
    arrays = pack_operators([{"a": bare}, {"a": bent}], {"a": 1})
    arrays |= {"layer/a": np.zeros((1, 1, 1, 1), np.int8), "subnet/name": np.array(["x", "y"])}
    first, second = (ops["a"].table.tolist() for ops in operators_of(arrays))
    assert first == list(range(-128, 128)) and second == [0] * 256
