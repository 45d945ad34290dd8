"""Partitions: orders and sizes by hand, files that read back, files of other networks refused."""

import json

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from arch_model.network.layer import Kind, Layer
from mapper.hybrid.partition import Partition, Ranking, bytes_moved, partition_bytes, rank

LAYERS = (
    Layer("first", Kind.CONV, K=4, C=2, R=3, S=3, H=8, W=8, padding=1),  # 36 weights a channel, 64 activations
    Layer("middle", Kind.CONV, K=6, C=4, H=2, W=2),  # 6 and 4
    Layer("last", Kind.LINEAR, K=3, C=6),  # 3 and 1
)
SCORES = {
    "first": np.repeat([[1.0, 2.0]], 4, axis=0)[:, :, None, None] * np.ones((4, 2, 3, 3)),  # 36 and 72 a channel
    "middle": np.array([50.0, 1.0, 2.0, 90.0])[None, :, None, None] / 6 * np.ones((6, 4, 1, 1)),
    "last": np.array([1.0, 2.0, 3.0, 4.0, 5.0, 100.0])[None, :, None, None] / 3 * np.ones((3, 6, 1, 1)),
}


def ranked(ranking, **more):
    return rank("net", "abc", LAYERS, ranking, SCORES, **more)


def order(units):
    return [(LAYERS[i].name, c) for i, c in zip(units.layer.tolist(), units.index.tolist(), strict=True)]


def test_by_score():
    units = ranked(Ranking.FISHER)
    assert order(units)[:5] == [("last", 5), ("middle", 3), ("first", 1), ("middle", 0), ("first", 0)]
    assert units.size[:3].tolist() == [3, 6, 36]
    assert units.total == 72 + 24 + 18


def test_by_score_a_byte():
    assert [bytes_moved(layer) for layer in LAYERS] == [100, 10, 4]
    units = ranked(Ranking.FISHER_PER_BYTE)  # 100/4, 90/10, 50/10, 5/4, 4/4, 3/4, 72/100, 2/4, 36/100, ...
    assert order(units)[:9] == [
        ("last", 5), ("middle", 3), ("middle", 0), ("last", 4), ("last", 3), ("last", 2), ("first", 1), ("last", 1),
        ("first", 0),
    ]  # fmt: skip


def test_single_weights():
    units = ranked(Ranking.WEIGHTS)
    assert units.total == len(units.size) == 114
    best = units.partition(4)
    assert best.channels == {}
    assert best.weights == {"middle": (3,), "last": (5, 11, 17)}  # the last channel's three, then the first of ties
    assert partition_bytes(best, LAYERS) == {"weights": 4, "indices": 16, "activations": 4 + 1}


def test_both_ends_inwards():
    names = [name for name, _ in order(ranked(Ranking.FIRST_LAST))]
    assert list(dict.fromkeys(names)) == ["first", "last", "middle"]


def test_random_is_repeatable_and_of_the_seed():
    assert order(ranked(Ranking.RANDOM, seed=1)) == order(ranked(Ranking.RANDOM, seed=1))
    assert order(ranked(Ranking.RANDOM, seed=1)) != order(ranked(Ranking.RANDOM, seed=2))


def test_counts_for_fractions():
    units = ranked(Ranking.FISHER)  # cumulative sizes 3, 9, 45, 51, 87, ... of 114
    assert [units.count(n / 114) for n in (0, 2, 3, 8, 9, 44, 45, 113, 114)] == [0, 0, 1, 1, 2, 2, 3, 11, 12]
    assert units.fraction(2) == pytest.approx(9 / 114)
    with pytest.raises(FastSwitchError, match=r"fraction is 1\.5; give 0\.\.1"):
        units.count(1.5)


def test_masks_of_channels_and_of_weights():
    masks = ranked(Ranking.FISHER).partition(3).masks(LAYERS, "abc")
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "first": [False, True], "middle": [False, False, False, True], "last": [False] * 5 + [True],
    }  # fmt: skip
    both = Partition("net", "abc", {"last": (1,)}, {"last": (0, 17)}).masks(LAYERS, "abc")["last"]
    assert both.shape == (3, 6, 1, 1)
    assert np.flatnonzero(both).tolist() == [0, 1, 7, 13, 17]


@pytest.mark.parametrize("ranking", Ranking)
def test_a_file_reads_back(tmp_path, ranking):
    partition = ranked(ranking).partition(5, {"seed": 3})
    partition.write(tmp_path / "split.json")
    again = Partition.read(tmp_path / "split.json")
    assert again == partition
    assert again.facts["ranking"] == ranking
    assert again.facts["digital_fraction"] == pytest.approx(ranked(ranking).fraction(5))


def test_another_network_s_partition_is_refused():
    partition = ranked(Ranking.FISHER).partition(3)
    with pytest.raises(FastSwitchError, match=r"partition is of network net \(abc\), not of def"):
        partition.masks(LAYERS, "def")
    with pytest.raises(FastSwitchError, match="no weights in a layer first; give one of last"):
        partition.masks(LAYERS[2:], "abc")
    with pytest.raises(FastSwitchError, match=r"channels of layer last go from 6 to 6; give 0\.\.5"):
        Partition("net", "abc", {"last": (6,)}).masks(LAYERS, "abc")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": "other"}', "nonsense", '{"format": "fastswitch-partition-1"}'],
)
def test_what_is_no_partition_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(FastSwitchError, match=r"bad\.json: not a partition") as error:
        Partition.read(path)
    assert "\n" not in str(error.value)


def test_numbers_that_are_none_are_refused(tmp_path):
    record = json.loads(ranked(Ranking.FISHER).partition(3).to_json())
    for channels in ({"last": [1.5]}, {"last": ["a"]}, {"last": 3}, [1], {"last": [2, 2]}, {"last": [2, 1]}):
        with pytest.raises(FastSwitchError, match="not a partition"):
            Partition.from_json(json.dumps(record | {"channels": channels}))
    for other in ({"network": ["net"]}, {"network_hash": 7}, {"facts": []}, {"weights": {"last": ["x" * 5000]}}):
        with pytest.raises(FastSwitchError, match="not a partition") as caught:
            Partition.from_json(json.dumps(record | other))
        assert len(str(caught.value)) < 300
    for number in (2**63, -(2**63) - 1, 10**300):
        split = Partition.from_json(json.dumps(record | {"channels": {"last": [number]}}))
        with pytest.raises(FastSwitchError, match=r"channels of layer last go from .*; give 0\.\.5"):
            split.masks(LAYERS, "abc")
    with pytest.raises(FastSwitchError, match=r"partition .* does not exist"):
        Partition.read(tmp_path / "missing.json")


def test_scores_are_asked_for():
    with pytest.raises(FastSwitchError, match="ranking fisher needs scores"):
        rank("net", "abc", LAYERS, Ranking.FISHER)
