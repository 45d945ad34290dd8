"""The page's text."""

import re
from html.parser import HTMLParser

import pytest

from reports.explore.page import SCRIPTS, page
from reports.explore.payload import payload
from reports.explore.reasons import Reason

VOID = {"meta", "link", "input", "br"}


class Balanced(HTMLParser):
    """Every element that is opened is closed, in order; every id is there once."""

    def __init__(self):
        super().__init__()
        self.open, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for key, value in attrs if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text(study):
    reasons = [Reason(f"reason {n} <b>", 10 - n, n) for n in range(10)]
    return page({"space": "a & b", "knobs": ["KP 1, 2"]}, payload(study), reasons, "var Plotly;")


def test_elements_are_closed_and_ids_are_single(text):
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))


def test_every_id_that_the_script_asks_for_is_there(text):
    body, _, script = text.partition("</main>")
    asked = set(re.findall(r'byId\("([\w-]+)"\)', script))
    assert len(asked) > 20
    assert {name for name in asked if f'id="{name}"' not in body + script} == set()
    assert len(SCRIPTS) == 9


def test_reasons_are_counted_escaped_and_the_rare_ones_are_one_row(text):
    table = text[text.index('id="reasons"') :]
    assert "reason 0 &lt;b&gt;" in table
    assert "reason 8" not in table
    assert "2 other reasons" in table
    assert "55 of 63 points" in text  # 10 + 9 + ... + 1 and the eight legal ones
    assert "a &amp; b" in text
