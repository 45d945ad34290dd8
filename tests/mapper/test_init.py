"""The names that scripts import from ``mapper``: found, few, annotated, each with an example that the tests run."""

import inspect
import subprocess
import sys

import pytest

import mapper


@pytest.mark.parametrize("name", mapper.__all__)
def test_each_name_is_documented(name):
    thing = getattr(mapper, name)
    members = vars(thing).values() if inspect.isclass(thing) else ()
    docs = [inspect.getdoc(getattr(member, "__func__", member)) or "" for member in (thing, *members)]
    assert docs[0] and any(">>>" in doc for doc in docs)
    callables = [thing] if inspect.isfunction(thing) else []
    for function in callables:
        signature = inspect.signature(function)
        assert signature.return_annotation is not signature.empty
        assert all(p.annotation is not p.empty for p in signature.parameters.values())


def test_there_are_about_a_dozen():
    assert 10 <= len(mapper.__all__) <= 15
    assert set(mapper.__all__) == set(mapper._HOME)
    with pytest.raises(AttributeError, match=r"module mapper has no optimize; it has Mapping, .*optimise_layer"):
        _ = mapper.optimize


def test_a_module_of_the_room_costs_only_itself():
    code = "import sys, mapper.lowering.tiling; sys.exit('mapper.search.predict' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
