"""Facts of the microarchitecture stand once: no other module gives their names a number, and sums are sums."""

import ast
from pathlib import Path

import pytest

from arch_model.machine import microarchitecture
from arch_model.timing.transfers import gearbox_bytes
from rtl.compute import AT_WRITE

HOME = Path(microarchitecture.__file__).resolve()
ROOT = HOME.parents[2]
NAMES = {name for name in vars(microarchitecture) if name.isupper()}


def assignments(tree):
    """(name, value) of every plain assignment."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (
                (name.id, node.value) for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
            )


def written_again(path):
    """What a module writes down although it stands in microarchitecture.py: a number's name, or the table of tokens."""
    tree = ast.parse(path.read_text())
    for name, value in assignments(tree):
        if name.strip("_") in NAMES and isinstance(value, ast.Constant) and isinstance(value.value, int):
            yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple | ast.List | ast.Dict):
            inside = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            if inside >= set(microarchitecture.TOKENS):
                yield f"line {node.lineno}: the tokens"


def test_no_other_module_writes_one_of_them_down():
    again = [
        f"{path.relative_to(ROOT)}: {what}"
        for room in ("arch_model", "mapper", "rtl", "sim", "reports")
        for path in sorted((ROOT / room).rglob("*.py"))
        if path != HOME
        for what in written_again(path)
    ]
    assert again == []


def test_latencies_that_are_sums():
    """By hand, from docs/reference/hardware.md: SB 1, LB 1, DPEs and tree 3, OB's sum 1, requantiser 5, repacker 1."""
    assert microarchitecture.RUN_WRITE == AT_WRITE == 1 + 1 + 3 + 1 + 5 + 1
    assert microarchitecture.STORE_BEAT == 1 + 6 + 2 + 1  # OB's output side, lane, FIFO, gearbox
    assert microarchitecture.LOAD_TURNAROUND == 3


def test_tokens_join_units():
    units = {"load_act", "load_wgt", "feed", "run", "store"}
    assert {unit for pair in microarchitecture.TOKENS.values() for unit in pair} == units
    assert all(giver != taker for giver, taker in microarchitecture.TOKENS.values())


@pytest.mark.parametrize("word", [1, 3, 4, 9, 16, 36, 64])
@pytest.mark.parametrize("beat", [4, 16, 64])
def test_the_gearbox_of_store_is_a_gearbox(word, beat):
    """Words in, beats out, rows padded by less than a beat, nothing dropped."""
    assert gearbox_bytes(word, beat) == microarchitecture.gearbox_bytes(word, beat, beat - 1, 0)
