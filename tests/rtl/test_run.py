"""RUN: every tap of every window at the word where docs/reference/hardware.md puts its pixel, one pixel a cycle."""

import random

import pytest

from arch_model.program.isa import Command, Opcode
from rtl.run import Run
from tests.rtl.simulate import bounded

TOKEN_FIELDS = ("wait_sb", "wait_kept", "signal_sb", "wait_out", "signal_out")


def random_command(rng):
    pointwise = rng.getrandbits(1)
    rows, cols = rng.randrange(1, 9), rng.randrange(1, 9)
    row_step = cols if pointwise else -(-cols // 3)
    out_rows, out_cols = rng.randrange(1, 5), rng.randrange(1, 5)
    return {
        "pointwise": pointwise,
        "reps": rng.randrange(1, 4),
        "stride": rng.choice([1, 2]),
        "out_rows": out_rows,
        "out_cols": out_cols,
        "pixels": out_rows * out_cols,
        "y0": 0 if pointwise else rng.randrange(-3, 7),
        "x0": 0 if pointwise else rng.randrange(-3, 7),
        "rows": rows,
        "cols": cols,
        "fill": rng.randrange(-128, 128),
        "sb_base": rng.randrange(100, 200),
        "row_step": row_step,
        "group_step": row_step * (rows if pointwise else -(-rows // 3)),
        "last_banks": rng.randrange(1, 10),
        "start": rng.getrandbits(1),
        "finish": rng.getrandbits(1),
        "zsb": rng.randrange(64),
        "out_base": rng.randrange(1000),
        "ob_slot": rng.randrange(4),
        **{name: rng.getrandbits(1) for name in TOKEN_FIELDS},
    }


def expected_pixels(c):
    """(bank -> word for each tap present, start, finish, OB word, output word) for every issue of a command."""
    for rep in range(c["reps"]):
        base = c["sb_base"] + rep * c["group_step"]
        for index in range(c["out_rows"] * c["out_cols"]):
            p, q = divmod(index, c["out_cols"])
            y0, x0 = c["y0"] + p * c["stride"], c["x0"] + q * c["stride"]
            places = {}
            for t in range(9):
                i, j = divmod(t, 3)
                if c["pointwise"]:
                    if t < (c["last_banks"] if rep == c["reps"] - 1 else 9):
                        places[t] = (t, base + y0 * c["row_step"] + x0)
                elif 0 <= y0 + i < c["rows"] and 0 <= x0 + j < c["cols"]:
                    y, x = y0 + i, x0 + j
                    places[t] = (3 * (y % 3) + x % 3, base + y // 3 * c["row_step"] + x // 3)
            start, finish = c["start"] and rep == 0, c["finish"] and rep == c["reps"] - 1
            sums = c["ob_slot"] * c["pixels"] + index
            yield places, bool(start), bool(finish), sums, c["out_base"] + index


LAST = 65535  # word of a bank or of the OB
ONE = {"reps": 1, "stride": 1, "out_rows": 1, "out_cols": 4, "y0": 0, "x0": 0, "rows": 1, "cols": 4, "fill": -128}
ONE |= {"pixels": 4, "row_step": 4, "group_step": 4, "last_banks": 9, "start": 1, "finish": 1, "zsb": 1023}
ONE |= {"ob_slot": 0, "out_base": LAST - 3, "pointwise": 1, "sb_base": LAST - 3, "signal_sb": 0, "signal_out": 0}
EDGES = [  # the last words, the greatest fields
    ONE | {"ob_slot": 3, "pixels": (LAST - 3) // 3},
    ONE | {"pointwise": 0, "rows": 3, "cols": 3, "out_cols": 1, "row_step": 1, "sb_base": LAST},
    ONE | {"cols": 4095, "stride": 2, "out_cols": 2048, "row_step": 4095, "sb_base": LAST - 4094, "out_base": 0},
    ONE | {"reps": 256, "out_cols": 1, "sb_base": 255, "group_step": 256},
    ONE | {"reps": 2, "out_cols": 1, "sb_base": 0, "group_step": LAST},
]


@pytest.mark.parametrize(("stall", "seed"), [(0.0, 0), (0.5, 1), (0.8, 2), (0.0, "edges")])
def test_addresses_and_marks(stall, seed):
    rng = random.Random(seed)
    commands = EDGES if seed == "edges" else [random_command(rng) for _ in range(40)]
    expected = [pixel for c in commands for pixel in expected_pixels(c)]
    dut = Run()
    seen, gaps, gives = [], [], {"sb": 0, "out": 0}
    ports = {"wait_sb": dut.sb_full, "wait_kept": dut.kept, "wait_out": dut.out_free}
    taken = dict.fromkeys(ports, 0)

    async def put(ctx):
        for command in commands:
            while rng.random() < stall:
                await ctx.tick()
            value = int.from_bytes(Command(Opcode.PASS, command).encode(), "little")
            ctx.set(dut.command.payload.as_value(), value)
            ctx.set(dut.command.valid, 1)
            await ctx.tick().until(dut.command.ready)
            ctx.set(dut.command.valid, 0)

    async def tokens(ctx):
        while len(seen) < len(expected):
            for port in ports.values():
                ctx.set(port.ready, rng.random() >= stall)
            ctx.set(dut.shadow_full, rng.random() >= stall)
            _, _, consume, full, new, *tokens = await ctx.tick().sample(
                dut.consume,
                dut.shadow_full,
                dut.command.payload,
                *(getattr(port, name) for port in ports.values() for name in ("acquire", "ready")),
            )
            assert consume <= full
            acquired = dict(zip(ports, tokens[::2], strict=True))
            assert all(took <= ready for took, ready in zip(tokens[::2], tokens[1::2], strict=True))
            if any(tokens[::2]):  # all that the command waits for, and nothing else, in one cycle
                assert acquired == {field: new[field] for field in ports}
            for field, took in acquired.items():
                taken[field] += took

    async def watch(ctx):
        idle = 0
        while len(seen) < len(expected):
            _, _, pixel, present, y_mod, x_mod, give, *addr = await ctx.tick().sample(
                dut.pixel, dut.present, dut.y_mod, dut.x_mod, dut.sb_free_release, *dut.addr
            )
            gives["sb"] += give
            idle += 1
            if not pixel.valid:
                continue
            gives["out"] += pixel.signal
            places = {}
            for t in range(9):
                if present >> t & 1:
                    bank = 3 * ((y_mod + t // 3) % 3) + (x_mod + t % 3) % 3
                    places[t] = (bank, addr[bank])
            seen.append((places, bool(pixel.start), bool(pixel.finish), pixel.pixel, pixel.out_addr))
            gaps.append(idle)
            idle = 0

    sim = bounded(dut)
    sim.add_testbench(put)
    sim.add_testbench(tokens)
    sim.add_testbench(watch)
    sim.run()
    assert seen == expected
    assert gives["sb"] == sum(c["signal_sb"] for c in commands)
    assert taken == {field: sum(c.get(field, 0) for c in commands) for field in ports}
    assert gives["out"] == sum(c["signal_out"] for c in commands)
    if not stall:
        assert set(gaps[1:]) == {1}  # commands follow each other without a gap


@pytest.mark.parametrize(("loaded", "kept"), [(1, 0), (0, 1), (1, 1)])
def test_starts_when_every_token_of_the_sb_is_there(loaded, kept):
    """No token is used up before the last one is there, and each cycle of the wait is counted in the next one."""
    dut = Run()
    command = random_command(random.Random(3)) | dict.fromkeys(TOKEN_FIELDS, 0)
    waits = [0, 1, 2] if loaded and kept else [0, 2]  # rounds of three cycles: neither, the first token, both
    tokens = [(dut.sb_full, loaded), (dut.kept, kept)]

    async def bench(ctx):
        ctx.set(dut.shadow_full, 1)
        fields = command | {"wait_sb": loaded, "wait_kept": kept}
        ctx.set(dut.command.payload.as_value(), int.from_bytes(Command(Opcode.PASS, fields).encode(), "little"))
        ctx.set(dut.command.valid, 1)
        for there in waits[:-1]:
            ctx.set(dut.sb_full.ready, loaded if there else 0)
            for _ in range(3):
                assert not ctx.get(dut.command.ready) and not any(ctx.get(port.acquire) for port, _ in tokens)
                await ctx.tick()
                assert ctx.get(dut.wait_sb) and not ctx.get(dut.busy)
        for port, waited in tokens:
            ctx.set(port.ready, waited)
        assert ctx.get(dut.command.ready)
        assert [ctx.get(port.acquire) for port, _ in tokens] == [loaded, kept]
        await ctx.tick()
        ctx.set(dut.command.valid, 0)
        assert ctx.get(dut.busy) and not ctx.get(dut.wait_sb)

    sim = bounded(dut)
    sim.add_testbench(bench)
    sim.run()


def depthwise_command(rng):
    stride = rng.choice([0, 1, 1, 2])
    rows, cols = (1, 1) if stride == 0 else (rng.randrange(1, 9), rng.randrange(1, 9))
    y0, x0 = (0, 0) if stride == 0 else (rng.randrange(-3, 7), rng.randrange(-3, 7))
    down, across = rng.choice([(0, 0), (rng.randrange(1, 4), rng.randrange(1, 4))])
    maximum = rng.getrandbits(1)
    if down and not maximum and stride:  # entries are of windows that begin in the tensor or one pixel before it
        x0 = rng.randrange(-1, 1)
    out_rows, out_cols = rng.randrange(1, 5), rng.randrange(1, 8)  # maybe beyond the last column
    row_step = -(-(cols + 2) // 3)
    return {
        "depthwise": 1,
        "reps": 1,
        "stride": stride,
        "out_rows": out_rows,
        "out_cols": out_cols,
        "pixels": out_rows * out_cols,
        "y0": y0,
        "x0": x0,
        "rows": rows,
        "cols": cols,
        "sb_base": rng.randrange(100, 200),
        "row_step": row_step,
        "group_step": row_step * -(-rows // 3),
        "last_banks": rng.randrange(3),
        "last_lanes": 4 * down + across,
        "maximum": maximum,
        "zsb": rng.randrange(64),
        "start": 1,
        "finish": 1,
        "out_base": rng.randrange(1000),
    }


@pytest.mark.parametrize(("stall", "seed"), [(0.0, 0), (0.6, 1)])
def test_depthwise_columns(stall, seed):
    """Each pixel's window was read, a column a cycle, of three groups and rows, up to the cycle before it; and when."""
    rng = random.Random(seed)
    commands = [depthwise_command(rng) for _ in range(60)]
    total = sum(c["pixels"] for c in commands)
    dut, reads, pixels, starts = Run(), [], [], []

    async def put(ctx):
        for command in commands:
            while rng.random() < stall:
                await ctx.tick()
            ctx.set(dut.command.payload.as_value(), int.from_bytes(Command(Opcode.PASS, command).encode(), "little"))
            ctx.set(dut.command.valid, 1)
            await ctx.tick().until(dut.command.ready)
            ctx.set(dut.command.valid, 0)

    async def shadow(ctx):
        while len(pixels) < total:
            ctx.set(dut.shadow_full, rng.random() >= stall)
            await ctx.tick()

    async def watch(ctx):
        while len(pixels) < total:
            _, _, pixel, present, y_mod, x_mod, consume, *addr = await ctx.tick().sample(
                dut.pixel, dut.present, dut.y_mod, dut.x_mod, dut.consume, *dut.addr
            )
            if consume:
                starts.append(len(reads))
            # (row, group) -> (bank, word), as the LB puts them in order; None where the row is outside.
            reads.append({
                (i, g): (3 * ((y_mod + i) % 3) + (x_mod + g) % 3, addr[3 * ((y_mod + i) % 3) + (x_mod + g) % 3])
                if present >> 3 * i + g & 1 else None
                for i in range(3) for g in range(3)
            })  # fmt: skip
            if pixel.valid:
                pixels.append((len(reads) - 1, pixel.columns, pixel.out_addr, pixel.zsb))

    sim = bounded(dut)
    sim.add_testbench(put)
    sim.add_testbench(shadow)
    sim.add_testbench(watch)
    sim.run()
    seen = iter(pixels)
    for c, start in zip(commands, starts, strict=True):
        step = c["stride"] or 1
        width = max(c["cols"], step * (c["out_cols"] - 1) + 1)
        down, across = divmod(c["last_lanes"], 4) if c["last_lanes"] else (3, 3)
        for p in range(c["out_rows"]):
            for q in range(c["out_cols"]):
                cycle, columns, out, zsb = next(seen)
                top, left = c["y0"] + p * c["stride"], c["x0"] + q * c["stride"]
                rows_in = sum(0 <= top + i < c["rows"] for i in range(down))
                cols_in = sum(0 <= left + j < c["cols"] for j in range(across))
                counted = c["last_lanes"] and not c["maximum"]
                entry = 3 * (max(rows_in, 1) - 1) + max(cols_in, 1) - 1
                assert zsb == c["zsb"] + (entry if counted else 0)
                assert cycle == start + p * width + q * step + c["x0"] + 3
                assert out == c["out_base"] + p * c["out_cols"] + q
                for j in range(3):
                    x = c["x0"] + q * c["stride"] + j
                    assert columns >> j & 1 == (0 <= x < c["cols"] and j < across)
                    if not 0 <= x < c["cols"] or j >= across:
                        continue
                    for i in range(3):
                        y = c["y0"] + p * c["stride"] + i
                        for g in range(3):
                            column = x + (c["last_banks"] + g) % 3
                            word = c["sb_base"] + g * c["group_step"] + y // 3 * c["row_step"] + column // 3
                            inside = 0 <= y < c["rows"] and i < down
                            place = (3 * (y % 3) + column % 3, word) if inside else None
                            assert reads[cycle - 3 + j][i, g] == place
