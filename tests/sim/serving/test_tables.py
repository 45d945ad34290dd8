"""Tables from files of SubNets: accuracies, SuperNets, and one line for what is wrong."""

import json

import pytest

from arch_model.errors import SpaceError
from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import choose_subnets, get_space, subnet_entry
from mapper.workload.fusion import is_runnable
from sim.serving.tables import busy, load_table, span, spread

ZCU104 = Accelerator.load("zcu104")


def entries(**more):
    nets = choose_subnets("3", "ofa-resnet50", 1, accept=is_runnable).subnets
    return [{**subnet_entry(net), "top1": 75 + i, **more} for i, net in enumerate(nets)]


def written(tmp_path, rows):
    path = tmp_path / "subnets.json"
    path.write_text(json.dumps(rows))
    return path


def test_a_file_of_large_subnets(tmp_path):
    rows = entries()
    table = load_table(ZCU104, subnets=written(tmp_path, rows), candidates=2)
    assert sorted(table.sushi.subnets) == sorted(row["name"] for row in rows)
    assert dict(zip(table.sushi.subnets, table.accuracy, strict=True)) == {r["name"]: r["top1"] / 100 for r in rows}
    assert table.shape[1] in (2, 3) and table.sushi.subgraphs[0] == "none"
    # A SubNet takes at least its MACs at full use, and the PB helps.
    macs = {row["name"]: row["macs"] for row in rows}
    for name, cycles in zip(table.sushi.subnets, table.sushi.cycles, strict=True):
        assert macs[name] / ZCU104.multipliers < cycles.min() < cycles[0]
    targets = span(table)
    assert targets.accuracy == (0.75, 0.77) and busy(table).startswith("poisson:")


@pytest.mark.parametrize(
    ("more", "said"),
    [({"top1": None}, "comes without an accuracy; give --subnets FILE.json with top1"), ({"top1": 175}, "top1 is 175")],
)
def test_a_file_without_accuracies(tmp_path, more, said):
    with pytest.raises(SpaceError, match=said):
        load_table(ZCU104, subnets=written(tmp_path, entries(**more)))


def test_subnets_of_another_space(tmp_path):
    with pytest.raises(SpaceError, match="is of space ofa-resnet50; give one of fashion"):
        load_table(ZCU104, "fashion", written(tmp_path, entries()))
    mixed = [*entries(), {**subnet_entry(get_space("fashion").subnet("fashion-d111-w222")), "top1": 90}]
    with pytest.raises(SpaceError, match="of fashion and ofa-resnet50; give SubNets of one SuperNet"):
        load_table(ZCU104, subnets=written(tmp_path, mixed))
    with pytest.raises(SpaceError, match="compofa comes without accuracies"):
        load_table(ZCU104, "compofa")
    with pytest.raises(SpaceError, match="SuperNet moon does not exist"):
        load_table(ZCU104, "moon")


def test_what_is_known_of_accuracies_need_not_be_said(tmp_path):
    space = get_space("ofa-resnet50")
    rows = [subnet_entry(space.subnet(name)) for name in space.subnet_names()[:2]]
    del rows[1]["top1"]
    table = load_table(ZCU104, subnets=written(tmp_path, rows), candidates=1)
    assert table.accuracy.tolist() == [0.75, 0.763]
    rows[0]["top1"] = 71.5  # quantised, say: what the file says goes first
    assert load_table(ZCU104, subnets=written(tmp_path, rows), candidates=1).accuracy.tolist() == [0.715, 0.763]


def test_a_spread_reaches_from_the_smallest_to_the_largest():
    fashion = get_space("fashion")
    nets = {name: fashion.subnet(name) for name in fashion.subnet_names()[:9]}
    order = sorted(nets, key=lambda name: nets[name].macs)
    assert list(spread(nets, 3)) == [order[0], order[4], order[8]]
    assert set(spread(nets, 99)) == set(nets)
