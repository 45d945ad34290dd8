"""Places of a template: each takes its value, and nothing else changes."""

import re

import pytest

from rtl.handover.templates import DATA, fill

TEMPLATES = ("fastswitch.core", "smoke.v")


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_place_takes_its_value_and_the_rest_stays(name):
    text = (DATA / name).read_text()
    places = re.findall(r"@([A-Z_]+)@", text)
    filled = fill(name, {place: f"<{place}>" for place in places})
    assert places and re.sub(r"<([A-Z_]+)>", r"@\1@", filled) == text


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_place_without_a_value_is_an_error(name):
    with pytest.raises(KeyError):
        fill(name, {})
