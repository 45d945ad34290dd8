"""The LB: whichever bank a window starts in, its taps come out in order."""

import random

from rtl.line_buffer import LineBuffer
from tests.rtl.simulate import bounded


def test_every_rotation_and_mask():
    rng, cp = random.Random(5), 3
    dut = LineBuffer(cp=cp)

    async def bench(ctx):
        for trial in range(90):
            y_mod, x_mod = trial % 3, trial // 3 % 3
            taps = [rng.getrandbits(8 * cp) for _ in range(9)]
            present, fill = rng.getrandbits(9), rng.randint(-128, 127)
            for t, tap in enumerate(taps):
                i, j = divmod(t, 3)
                ctx.set(dut.words[3 * ((y_mod + i) % 3) + (x_mod + j) % 3], tap)
            ctx.set(dut.y_mod, y_mod)
            ctx.set(dut.x_mod, x_mod)
            ctx.set(dut.present, present)
            ctx.set(dut.fill, fill)
            lanes = trial % 5  # more than there are means all
            ctx.set(dut.lanes, lanes)
            await ctx.tick()
            outside = sum((fill & 0xFF) << 8 * lane for lane in range(min(lanes, cp)))
            expected = sum((tap if present >> t & 1 else outside) << 8 * cp * t for t, tap in enumerate(taps))
            assert ctx.get(dut.window) == expected

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()
