"""What follows from a row, by hand; orders and names."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reports.queries import Query, merged_order, subnets_by_accuracy
from tests.reports.stream_rows import stream


def query() -> Query:
    return Query.of(stream(1)[0][0], 100e6)


def test_bytes_and_targets_by_hand() -> None:
    one = replace(query(), dram_bytes=750, pb_saved_bytes=250, latency_s=0.002, subnet_accuracy=0.9)
    assert (one.bytes_without_pb, one.saved_fraction) == (1000, 0.25)
    assert replace(one, max_latency_s=0.002).latency_met  # at the limit is within it
    assert not replace(one, max_latency_s=0.0019).latency_met
    assert replace(one, min_accuracy=0.9).accuracy_met
    assert not replace(one, min_accuracy=0.901).accuracy_met
    assert replace(one, min_accuracy=None, max_latency_s=None).accuracy_met
    assert replace(one, dram_bytes=0, pb_saved_bytes=0).saved_fraction == 0


def test_cycles_become_seconds_at_the_clock() -> None:
    row = stream(1)[0][0] | {"simulated_cycles": 50_000}
    assert Query.of(row, 100e6).latency_s == 0.0005
    assert Query.of(row, 200e6).latency_s == 0.00025


def test_layers_that_hold_nothing_are_left_out() -> None:
    row = stream(1)[0][0] | {"pb_layers": {"stem": 144, "linear": 0}}
    assert Query.of(row, 100e6).pb_layers == {"stem": 144}


def test_subnets_by_accuracy() -> None:
    pairs = [("b", 0.9), ("c", 0.8), ("a", 0.9), ("c", 0.8)]
    assert subnets_by_accuracy(replace(query(), subnet=n, subnet_accuracy=a) for n, a in pairs) == ["a", "b", "c"]


@given(st.lists(st.sets(st.integers(0, 20))))
def test_merged_order_keeps_the_order_of_lists_that_agree(subsets: list[set[int]]) -> None:
    names = [[f"layer{n:02}" for n in sorted(subset)] for subset in subsets]
    merged = merged_order(names)
    assert len(merged) == len(set(merged)) and set(merged) == {name for order in names for name in order}
    for order in names:
        assert [name for name in merged if name in order] == order


def test_merged_order_of_lists_that_contradict_is_that_of_appearance() -> None:
    assert merged_order([["b", "a"], ["a", "b"], ["c"]]) == ["b", "a", "c"]
