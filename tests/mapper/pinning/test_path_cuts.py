"""Planes below the cycles of SubNets: they touch where they are made and are nowhere above."""

import numpy as np
import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.cost.sushi_costs import SubNetCosts, beside_cycles
from mapper.pinning.options import Menu
from mapper.pinning.path_cuts import SubNetPaths
from mapper.workload.fusion import is_runnable

SEED = 5
CASES = [("fashion", "tiny", 3, None), ("ofa-resnet50", "zcu104", 2, 6), ("ofa-mobilenetv3", "zcu104", 2, 4)]


def random_choice(menu, rng):
    share = rng.random()
    return np.array([rng.integers(0, n) if rng.random() < share else 0 for n in menu.count])


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[0])
def case(request):
    space, machine, count, levels = request.param
    supernet, accelerator = get_space(space), Accelerator.load(machine)
    nets = [net for net in supernet.sample(20, SEED) if is_runnable(net)][:count]
    menu = Menu.of(supernet, nets, accelerator, levels)
    return menu, nets, SubNetPaths(menu, nets)


def test_cycles_are_those_of_the_table(case):
    menu, nets, paths = case
    rng = np.random.default_rng(SEED)
    large = menu.accelerator.replace(buffers={"pb_bytes": 60_000 * menu.accelerator.tile_bytes_raw})  # any choice fits
    chosen = np.array([random_choice(menu, rng) for _ in range(4)])
    costs = SubNetCosts(menu.supernet, [menu.subgraph(choice) for choice in chosen], large)
    pools = np.array([[beside_cycles(net, large)] for net in nets])
    assert np.array_equal(paths.cycles(chosen) + pools, costs.cycles(nets))


def test_planes_touch_and_stay_below(case):
    menu, nets, paths = case
    rng, layers = np.random.default_rng(SEED), np.arange(len(menu.count))
    chosen = np.array([np.zeros(len(layers), np.int64), *(random_choice(menu, rng) for _ in range(24))])
    cycles = paths.cycles(chosen)
    firm_gap = []
    for subnet in range(len(nets)):
        for made, choice in enumerate(chosen[:6]):
            plane, firm = (paths.plane(subnet, choice, firm) for firm in (False, True))
            at, below = plane[layers, chosen].sum(axis=1), firm[layers, chosen].sum(axis=1)
            assert at[made] == pytest.approx(cycles[subnet, made]), SEED
            assert (at <= cycles[subnet] + 1e-6).all() and (below <= cycles[subnet] + 1e-6).all(), SEED
            assert (below > 0).all()
            firm_gap.append(1 - below[made] / cycles[subnet, made])
    assert max(firm_gap) < 0.5


def test_a_layer_that_cannot_run_is_named():
    supernet, tiny = get_space("ofa-resnet50"), Accelerator.load("tiny")
    nets = supernet.sample(1, SEED)
    with pytest.raises(MappingError, match=r"layer .*: its .* need \d+ bytes of .*; tiny has"):
        SubNetPaths(Menu.of(supernet, nets, tiny), nets)
