"""Striping: every byte of the machine's memory has one place in the bench's DRAM, where the machine looks for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.rtl_bench.bench_build import Memory
from sim.rtl_bench.striping import Striping


@pytest.mark.parametrize(("stripes", "weight_stripes"), [(1, 1), (1, 4), (2, 2), (2, 4), (4, 1), (2, 1)])
@pytest.mark.parametrize("weight_bytes", [0, 256, 768])
def test_every_byte_has_a_place_of_its_own(stripes, weight_stripes, weight_bytes):
    memory = Memory(beat_bytes=4, beats=512, stripes=stripes, weight_stripes=weight_stripes)
    striping = Striping(memory, weight_bytes)
    bases, owner = striping.bases(), {}
    for place in striping.places(0, 2048):
        count = len(place.stripes)
        name = "WGT_BASE" if place.start < weight_bytes else "BASE"
        assert count == (weight_stripes if name == "WGT_BASE" else stripes)
        for address in range(place.start, place.start + place.length):
            beat, inside = divmod(address, 4 * count)
            stripe, byte = divmod(inside, 4)
            # The machine's port `stripe` finds the beat at its base plus address / stripes.
            at = bases[f"{name}_{stripe}"] + 4 * beat + byte
            assert at == place.stripes[stripe] + (address - place.start) // (4 * count) * 4 + byte
            assert at not in owner
            owner[at] = address
    assert sorted(owner) == list(range(2048))


def test_the_program_is_in_the_first_stripe_of_the_tensors():
    striping = Striping(Memory(beat_bytes=4, beats=512, stripes=2, weight_stripes=4), 512)
    (place,) = striping.places(1024, 16)
    assert striping.program(1024) == place.stripes[0]


@pytest.mark.parametrize(("address", "length"), [(4, 8), (0, 4), (-16, 16), (2040, 16), (510, 4)])
def test_what_is_not_whole_beats_inside_is_refused(address, length):
    striping = Striping(Memory(beat_bytes=4, beats=512, stripes=2, weight_stripes=4), 512)
    with pytest.raises(ValueError, match=f"{length} bytes at 0x{address:x} are not"):
        list(striping.places(address, length))


@given(
    stripes=st.sampled_from([1, 2, 4]),
    weight_stripes=st.sampled_from([1, 2, 4]),
    weight_beats=st.integers(0, 40),
    first=st.integers(0, 60),
    size=st.integers(1, 100),
)
def test_any_bytes_that_begin_on_a_beat_become_whole_beats_and_no_more(
    stripes, weight_stripes, weight_beats, first, size
):
    """Each range has its own beat: a tensor that ends where DRAM does has no room for one of weights."""
    weight_bytes = 4 * 4 * weight_beats
    begins_in_weights = first < weight_beats
    beat = 4 * (weight_stripes if begins_in_weights else stripes)
    address = 16 * first if begins_in_weights else weight_bytes + beat * (first - weight_beats)
    if begins_in_weights:
        size = min(size, weight_bytes - address)
    end = -(-(address + size) // beat) * beat
    memory = Memory(beat_bytes=4, beats=-(-end // 16) * 4, stripes=stripes, weight_stripes=weight_stripes)
    striping = Striping(memory, weight_bytes)
    data = np.full(size, 7, np.uint8)
    whole = striping.whole_beats(address, data)
    assert whole[:size].tolist() == data.tolist() and not whole[size:].any()
    assert address + len(whole) == end
    assert sum(place.length for place in striping.places(address, len(whole))) == len(whole)
