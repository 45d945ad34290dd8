"""Assumed costs by hand: the longest of reading, writing and computing counts."""

from arch_model.accelerator import Accelerator
from arch_model.layer import Kind, Layer
from mapper.assumed_costs import assumed_cost

ZCU104 = Accelerator.load("zcu104").replace(
    array={"kp": 16, "cp": 9}, axi={"data_bits": 128}, dram={"cycles_per_beat": 1, "latency_cycles": 40}
)


def depthwise(channels, kernel, size):
    kind, padding = Kind.CONV, kernel // 2
    return Layer("d", kind, channels, channels, kernel, kernel, size, size, 1, padding, channels, inputs=("input",))


def test_a_depthwise_layer_bound_by_its_passes():
    # 5 x 5: four windows of 3 x 3. 18 channels: two passes of nine each. 8 passes of 196 pixels.
    # A row of 14 pixels of nine bytes is 126 bytes: 8 beats; two groups of 14 rows: 224 beats in, 224 out.
    # Weights of a pass: 81 bytes, 2 beats of 64.
    cycles, moved = assumed_cost(depthwise(18, 5, 14), ZCU104)
    assert cycles == 8 * 196 + 40 and moved == (224 + 224) * 16 + 8 * 2 * 64


def test_a_depthwise_layer_bound_by_dram():
    slow = ZCU104.replace(dram={"cycles_per_beat": 4})
    assert assumed_cost(depthwise(18, 3, 14), slow)[0] == max(2 * 196, 224 * 4) + 40


def test_a_pass_takes_at_least_its_overhead():
    assert assumed_cost(depthwise(18, 3, 1), ZCU104)[0] == 2 * (16 + 5) + 40


def test_pooling_is_a_pixel_a_cycle():
    pool = Layer("p", Kind.MAXPOOL, 18, 18, 3, 3, 14, 14, 2, 1, inputs=("input",))
    # In 224 beats, out 7 rows of 7 * 9 = 63 bytes, 4 beats, of two groups; 2 * 196 pixels.
    assert assumed_cost(pool, ZCU104) == (2 * 196 + 40, (224 + 56) * 16)
