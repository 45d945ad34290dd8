"""The driver's packing is the mapper's, which has hand-computed cases of its own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arch_model.machine.accelerator import Accelerator
from mapper.layout.tensors import activation_bytes, pack_activations
from rtl.driver.tensor import Place

FOLDING = [
    Accelerator.load("zcu104"),
    Accelerator.load("tiny").replace(array={"cp": 7}, axi={"pixels": 4}),  # 2 pixels of 3 bytes in 7
]
MACHINES = [Accelerator.load("tiny"), Accelerator.load("zcu104")]


@given(st.sampled_from(MACHINES), st.integers(1, 20), st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**32))
def test_packs_as_the_mapper_does_and_back(machine: Accelerator, c: int, h: int, w: int, seed: int) -> None:
    tensor = np.random.default_rng(seed).integers(-128, 128, (c, h, w), dtype=np.int8)
    place = Place(0, c, h, w, machine.pitch(w), machine.cp)
    data = place.pack(tensor)
    assert len(data) == place.size == activation_bytes(c, h, w, machine)
    assert (data == pack_activations(tensor, machine)).all()
    assert (place.unpack(data) == tensor).all()


@given(st.sampled_from(FOLDING), st.integers(1, 3), st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**32))
def test_packs_folded_images_as_the_mapper_does_and_back(
    machine: Accelerator, c: int, h: int, w: int, seed: int
) -> None:
    tensor = np.random.default_rng(seed).integers(-128, 128, (c, h, w), dtype=np.int8)
    place = Place(0, c, h, w, machine.pitch(w, folded=True), machine.cp, machine.fold)
    data = place.pack(tensor)
    assert len(data) == place.size == activation_bytes(c, h, w, machine, folded=True)
    assert (data == pack_activations(tensor, machine, folded=True)).all()
    assert (place.unpack(data) == tensor).all()
