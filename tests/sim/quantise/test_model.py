"""What a model can be, and what is said of what it cannot be."""

import json
from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError
from sim.quantise.errors import ModelError
from sim.quantise.model import check_configs, load_model, module_of, read_configs


def test_lists_of_choices(tmp_path: Path) -> None:
    (tmp_path / "nets.json").write_text(json.dumps([{"name": "a", "d": 2, "macs": 5}, {"name": "b", "d": 3}]))
    assert read_configs(tmp_path / "nets.json") == {"a": {"d": 2}, "b": {"d": 3}}
    for text in ("[]", "3", '[{"d": 2}]', '[{"name": "a"}, {"name": "a"}]', '[{"name": 5}]', '[{"name": ""}]', "{"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(FastSwitchError) as caught:
            read_configs(tmp_path / "bad.json")
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="SubNet a: its choices are 5; give them by their keywords"):
        check_configs(json.loads('{"a": 5}'))


def test_what_a_model_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
    plain = torch.nn.ReLU()
    assert load_model(plain)() is plain and not plain.training
    with pytest.raises(ModelError, match="the model is one module and takes no choices"):
        load_model(plain)(d=1)
    elastic = torch.nn.ReLU()
    elastic.set_active_subnet = lambda d: setattr(elastic, "d", d)
    assert load_model(elastic)(d=3) is elastic and elastic.d == 3
    with pytest.raises(ModelError, match="model is 5; give a function"):
        load_model(5)
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("import torch\nnet = torch.nn.ReLU()\nwrong = 5\n")
    assert isinstance(load_model("mine.py:net")(), torch.nn.ReLU)
    for text, message in (
        ("mine.py", "names a file; give FILE.py:NAME"),
        ("mine.py:other", "model file mine.py has no other; give one of torch, net, wrong"),
        ("mine.py:wrong", "model is 5; give a function"),
        ("no_such_module:net", "model no_such_module:net: there is no module no_such_module"),
    ):
        with pytest.raises(FastSwitchError, match=message):
            load_model(text)


def test_what_the_users_function_does_wrong_is_one_line() -> None:
    def fails(depth):
        raise RuntimeError("no\nsuch depth")

    with pytest.raises(ModelError) as caught:
        module_of(fails, "small", {"depth": 9})
    assert str(caught.value) == "SubNet small: the model fails for {'depth': 9}: RuntimeError: no such depth"
    with pytest.raises(ModelError, match=r"SubNet small: the model fails for .*: TypeError"):
        module_of(fails, "small", {"width": 2})
