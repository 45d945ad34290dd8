"""Fields by hand: a depthwise layer of 10 channels on KP 4, CP 3."""

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.weights import MaxPoolQuant, PoolQuant, ScaleQuant
from arch_model.program.program import TensorPlace
from mapper.lowering.depthwise_fields import ChannelwiseFields, ChannelwisePlaces, Held
from mapper.workload.depthwise import windows_of
from mapper.workload.fusion import Step

TINY = Accelerator.load("tiny")  # beats of 4 bytes
IN, OUT = TensorPlace(1000, 10, 8, 9, 28), TensorPlace(5000, 10, 8, 9, 28)


def fields(layer, quant, other=None):
    return ChannelwiseFields(Step(layer), TINY, ChannelwisePlaces(IN, OUT, other, 300, 200), quant)


def test_a_depthwise_pass():
    layer = Layer("a", Kind.CONV, 10, 10, 5, 5, 8, 9, padding=2, groups=10)
    make = fields(layer, PoolQuant(1, 0, 7, 5, -4, 99))  # what a ConvQuant says of PASS
    # rows 3 and 4 read rows 1 to 6; 9 + 2 columns in 4 words, 6 rows in 2
    held = Held(range(1, 7), 50)
    act = make.act(range(1, 4), range(1, 7), held)
    assert {k: act[k] for k in ("addr", "groups", "run_beats", "run_stride", "rows", "cols", "pad")} == {
        "addr": 1000 + 224 + 28,
        "groups": 3,
        "run_beats": 42,
        "run_stride": 224,
        "rows": 6,
        "cols": 9,
        "pad": 1,
    }
    assert (act["row_step"], act["group_step"], act["skew"], act["sb_base"]) == (4, 8, 1, 50)
    tile = make.tile(3, 2, held, 7)
    assert (tile["y0"], tile["x0"], tile["rows"], tile["cols"], tile["fill"]) == (0, -2, 6, 9, 7)
    # K-tile 2 is channels 8, 9: group 2, lane 2; bank 2 mod 2, the second word of it
    k_tile = make.k_tile(tile, 2, 0, 600, 20)
    wanted = {"sb_base": 50 + 16, "last_banks": 2, "out_lane": 2, "out_bank": 0, "out_base": 600 + 18, "zsb": 22}
    assert {key: k_tile[key] for key in wanted} == wanted
    # its window at (0, 3) is column 2 * 4 + 1
    window = windows_of(layer)[2]
    done = make.window(k_tile, 2, window, 31)
    assert (done["y0"], done["x0"], done["slot"], done["sub"]) == (0, 1, 31, 0)


def test_rows_that_come_behind_others():
    """All eight rows stay, 3 x 4 words a group from word 50 on: rows 3 to 5 are the second three of them."""
    layer = Layer("a", Kind.CONV, 10, 10, 3, 3, 8, 9, padding=1, groups=10)
    make, held = fields(layer, PoolQuant(1, 0, 7, 5, -4, 99)), Held(range(8), 50)
    act = make.act(range(1, 4), range(3, 6), held)
    assert (act["addr"], act["rows"], act["run_beats"]) == (1000 + 224 + 3 * 28, 3, 21)
    assert (act["sb_base"], act["row_step"], act["group_step"]) == (50 + 4, 4, 12)
    # Output rows 5 and 6 read rows 4 to 7: the second and later of the five that there are from row 3 on.
    window = windows_of(layer)[0]
    done = make.window(make.k_tile(make.tile(5, 2, held, 8), 0, 0, 600, 20), 0, window, 31)
    assert (done["sb_base"], done["y0"], done["rows"], done["group_step"]) == (50 + 4, 1, 5, 12)
    # The first rows overhang the tensor, and see no row that has not come.
    done = make.window(make.k_tile(make.tile(0, 2, held, 3), 0, 0, 600, 20), 0, window, 31)
    assert (done["sb_base"], done["y0"], done["rows"], done["group_step"]) == (50, -1, 3, 12)


def test_windows_far_down_begin_where_y0_reaches():
    """The third windows of 7 rows begin 6 rows below the first, in a later three rows, or in none that there is."""
    layer = Layer("a", Kind.CONV, 10, 10, 7, 7, 14, 9, padding=3, groups=10)
    make, low = fields(layer, PoolQuant(1, 0, 7, 5, -4, 99)), windows_of(layer)[-1]
    assert low.row == 6
    k_tile = make.k_tile(make.tile(5, 1, Held(range(14), 50), 9), 0, 0, 600, 20)
    done = make.window(k_tile, 0, low, 31)
    assert (done["sb_base"], done["y0"], done["rows"]) == (50 + 2 * 4, 2, 3)  # row 8, from row 6 on, of 9
    k_tile = make.k_tile(make.tile(2, 1, Held(range(2), 50), 2), 0, 0, 600, 20)
    done = make.window(k_tile, 0, low, 31)
    assert (done["sb_base"], done["y0"], done["rows"]) == (50, 5, 2)  # row 5 of 2: outside


def test_a_maximum_never_picks_its_fill():
    layer = Layer("a", Kind.MAXPOOL, 10, 10, 3, 3, 8, 9, padding=1)
    tile = fields(layer, MaxPoolQuant(-7, 8)).tile(0, 8, Held(range(8), 0), 8)
    assert (tile["maximum"], tile["fill"], tile["z_out"], tile["lo"], tile["hi"]) == (1, -128, 0, -7, 8)


def test_a_smaller_maximum_says_which_taps_count():
    layer = Layer("a", Kind.MAXPOOL, 10, 10, 2, 2, 8, 9, padding=1)
    tile = fields(layer, MaxPoolQuant(-7, 8)).tile(0, 9, Held(range(8), 0), 8)
    assert (tile["last_lanes"], tile["x0"], tile["y0"], tile["out_cols"], tile["cols"]) == (10, -1, -1, 10, 9)


def test_averages_beyond_the_tensor_take_entries_by_the_taps_inside():
    """2 x 2 taps: the fifth entry, number 3 (2 - 1) + 2 - 1, is that of all; entries of 4 channels are 32 bytes."""
    layer = Layer("a", Kind.AVGPOOL, 10, 10, 2, 2, 8, 9, stride=2, ceil_mode=True)
    make, held = fields(layer, PoolQuant(1, 0, 7, 5, -4, 99)), Held(range(8), 0)
    assert make.zsb(20)["run_beats"] == 5 * 32 // 4
    tile = make.tile(0, 4, held, 8)
    assert (tile["last_lanes"], tile["fill"], tile["maximum"]) == (10, 7, 0)
    assert make.k_tile(tile, 2, 0, 600, 20)["zsb"] == 20  # every K-tile the same
    inside = Layer("a", Kind.AVGPOOL, 10, 10, 2, 2, 8, 8, stride=2, ceil_mode=True)
    make = fields(inside, PoolQuant(1, 0, 7, 5, -4, 99))
    assert make.tile(0, 4, held, 8)["last_lanes"] == 0 and make.zsb(20)["run_beats"] == 32 // 4


def test_a_product_multiplies_in_its_store_what_the_array_made_of_its_factors():
    layer = Layer("a", Kind.MUL, 10, 10, H=8, W=9, inputs=("x", "s"))
    other = TensorPlace(3000, 10, 8, 9, 28)
    make = fields(layer, ScaleQuant(3, 1 << 25, 24, -9, 6, 4, -50, 60), other)
    tile = make.tile(2, 3, Held(range(2, 5), 0), 5)
    assert (tile["stride"], tile["rows"], tile["cols"], tile["y0"], tile["x0"], tile["pixels"]) == (1, 3, 9, 0, 0, 27)
    assert (tile["z_out"], tile["lo"], tile["hi"], tile["last_lanes"]) == (0, -128, 127, 0)
    assert make.act(range(1), range(2, 5), Held(range(2, 5), 0))["addr"] == 1000 + 2 * 28
    store = make.store(range(0, 3), 2, 3, 600)
    wanted = {"multiply": 1, "use_a": 1, "use_b": 1, "b_addr": 3000 + 2 * 28, "z_a": 0, "z_b": -9, "shift": 6}
    wanted |= {"z_out": 4, "lo": -50, "hi": 60, "groups": 4, "last_lanes": 1}
    assert {key: store[key] for key in wanted} == wanted


def test_a_scaling_multiplies_in_its_store():
    layer = Layer("a", Kind.SCALE, 10, 10, H=8, W=9, inputs=("x", "s"))
    other = TensorPlace(3000, 10, 8, 9, 28)
    make = fields(layer, ScaleQuant(3, 1 << 25, 24, -9, 6, 4, -50, 60), other)
    tile = make.tile(2, 3, Held(range(1), 0), 1)
    assert (tile["stride"], tile["rows"], tile["cols"], tile["y0"], tile["x0"], tile["pixels"]) == (0, 1, 1, 0, 0, 27)
    assert (tile["z_out"], tile["lo"], tile["hi"]) == (0, -128, 127)
    store = make.store(range(0, 3), 2, 3, 600)
    wanted = {"multiply": 1, "use_a": 1, "use_b": 1, "b_addr": 3000 + 2 * 28, "z_a": 0, "z_b": -9, "shift": 6}
    wanted |= {"z_out": 4, "lo": -50, "hi": 60, "groups": 4, "last_lanes": 1}
    assert {key: store[key] for key in wanted} == wanted
