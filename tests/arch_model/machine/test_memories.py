"""What the buffers become, by hand, and as the RTL has them."""

from __future__ import annotations

from amaranth.hdl import Fragment

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.memories import BUFFERS, Memory, memories
from rtl.accelerator import FastSwitch
from rtl.memory import BlockMemory

TINY = Accelerator.load("tiny")


def test_tiny_by_hand() -> None:
    assert memories(TINY) == {
        "pb": Memory("pb", 1, 455 * 4, 216, 216),  # 455 tiles of 4 words of 27 bytes
        "db": Memory("db", 1, 128 * 4, 216, 216),
        "sb": Memory("sb", 9, 2048, 24, 24),
        "ob": Memory("ob", 1, 400, 128, 128),
        "ob_out": Memory("ob_out", 2, 4096, 24, 8),
        "zsb": Memory("zsb", 1, 128, 256, 64),
        "table": Memory("table", 4, 64, 64, 64),  # a copy a filter of two tables of 32 words
    }
    assert tuple(memories(TINY)) == BUFFERS
    assert memories(TINY)["sb"].bits == 9 * 2048 * 24 and memories(TINY)["sb"].bank_bits == 2048 * 24


def test_no_pb_keeps_one_word() -> None:
    assert memories(TINY.replace(buffers={"pb_bytes": 0}))["pb"].depth == 1


def test_the_rtl_has_the_same(monkeypatch) -> None:
    built = []
    init = BlockMemory.__init__

    def note(self, width, depth, granularity=None):
        built.append((depth, width, granularity or width))
        init(self, width, depth, granularity)

    Fragment.get(FastSwitch(TINY), None)  # the first one builds units beside the machine, to count their registers
    monkeypatch.setattr(BlockMemory, "__init__", note)
    Fragment.get(FastSwitch(TINY), None)
    ours = [(m.depth, m.width, m.granularity) for m in memories(TINY).values() for _ in range(m.banks)]
    assert sorted(built) == sorted(ours)
