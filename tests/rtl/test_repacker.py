"""The repacker: channel k of every K-tile ends in lane k mod CP of group k // CP, and nothing else is touched."""

import pytest

from arch_model.machine.accelerator import Accelerator
from rtl.repacker import Repacker
from tests.rtl.simulate import bounded


@pytest.mark.parametrize(("kp", "cp"), [(4, 3), (16, 9), (4, 4), (8, 4), (2, 4), (3, 5), (1, 1), (16, 1)])
def test_k_tiles_become_channel_groups(kp, cp):
    tiny = Accelerator.load("tiny").model_dump()
    tiny["array"] = {"kp": kp, "cp": cp}
    tiny["buffers"] = {name: 1 << 15 for name in tiny["buffers"]} | {"zsb_bytes": 256 * kp}
    nb = Accelerator(**tiny).nb
    tiles, pixels = 9, 11
    base = 65536 - pixels * ((tiles * kp - 1) // cp // nb + 1)  # to the last word of a bank
    dut = Repacker(kp=kp, cp=cp, nb=nb)
    memory = {}

    async def bench(ctx):
        for kt in range(tiles):
            group = kt * kp // cp
            for p in range(pixels):
                for k in range(kp):
                    ctx.set(dut.y[8 * k : 8 * k + 8], (kt * kp + k + p) & 0xFF)
                ctx.set(dut.valid, 1)
                ctx.set(dut.addr, base + group // nb * pixels + p)
                ctx.set(dut.bank, group % nb)
                ctx.set(dut.lane, kt * kp - group * cp)
                ctx.set(dut.pixels, pixels)
                await ctx.tick()
                ctx.set(dut.valid, 0)
                for bank in range(nb):
                    for lane in range(cp):
                        if ctx.get(dut.write_en[bank]) >> lane & 1:
                            byte = ctx.get(dut.write_data[bank]) >> 8 * lane & 0xFF
                            key = (bank, ctx.get(dut.write_addr[bank]), lane)
                            assert key not in memory
                            memory[key] = byte
        await ctx.tick()
        assert all(ctx.get(dut.write_en[bank]) == 0 for bank in range(nb))

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()
    expected = {
        (k // cp % nb, base + k // cp // nb * pixels + p, k % cp): (k + p) & 0xFF
        for k in range(tiles * kp)
        for p in range(pixels)
    }
    assert memory == expected


def test_too_few_banks_are_refused():
    with pytest.raises(ValueError, match="nb is 1"):
        Repacker(kp=4, cp=3, nb=1)
