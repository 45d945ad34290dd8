"""The page in Chromium: it draws, answers, hands out descriptions, and takes no text for markup."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from arch_model import Accelerator
from arch_model.machine.accelerator_yaml import accelerator_yaml
from reports.colours import MUTED
from reports.explore import write_report
from reports.explore.page import page
from reports.explore.payload import payload
from reports.explore.reasons import Reason
from reports.explore.report import facts, plotly_script
from tests.reports.explore.chromium import WIDTH, chromium, click_at, errors, open_page, resize, wait


@pytest.fixture(scope="module")
def downloads(tmp_path_factory):
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads):
    with chromium(downloads) as made:
        yield made


@pytest.fixture(scope="module")
def report(study, tmp_path_factory) -> Path:
    return write_report(study, tmp_path_factory.mktemp("report"))


@pytest.fixture
def opened(browser, report):
    """The page, fresh; its console is empty before and after."""
    if browser.current_url.partition("#")[0] != report.resolve().as_uri():
        open_page(browser, report)
    yield browser
    assert errors(browser) == []


def text(browser, name):
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", name)


def count(browser, selector):
    return browser.execute_script("return document.querySelectorAll(arguments[0]).length", selector)


def choose(browser, name, value):
    browser.execute_script(
        "const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('change'))",
        name, value,
    )  # fmt: skip


def apart(data):
    """The point that is farthest from all others in the front's plot, and its first two objectives."""
    xy = np.array(data["points"]["objectives"][:2]).T
    scaled = (xy - xy.min(axis=0)) / np.ptp(xy, axis=0)
    distance = np.linalg.norm(scaled[:, None] - scaled[None], axis=2) + 9 * np.eye(len(xy))
    place = int(distance.min(axis=1).argmax())
    return data["points"]["id"][place], *xy[place]


def test_everything_is_drawn_and_nothing_is_fetched(opened, study):
    legal = int(study.points["legal"].sum())
    drawn = opened.execute_script(
        "return ['dominated', 'front'].map((name) => [name, document.getElementById('front-plot').data"
        ".filter((trace) => trace.name === name)[0].x.length])"
    )
    assert sum(number for _, number in drawn) == legal
    assert count(opened, "#front-plot .scatterlayer path.point") == legal + 1  # and the ring of the one chosen
    assert count(opened, "#parallel-plot canvas") > 0
    assert count(opened, "#parallel-plot .y-axis") == len(study.knobs) + len(study.objectives)
    assert count(opened, "#knobs .js-plotly-plot") == 3
    assert count(opened, "#knobs .boxlayer path.box") == 3 * 2 * len(study.objectives)
    assert count(opened, "#roofline-plot .scatterlayer path.point") > 5
    assert count(opened, "#reasons tbody tr") == 1
    assert text(opened, "reasons").find("buffers.sb_bytes is 5000000") > 0
    assert opened.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert count(opened, "[href^=http], [src]") == 0
    assert count(opened, "[data-title*=loud], [data-title*=hare]") == 0  # Plotly's button that sends charts away


def test_a_click_on_a_point_shows_its_machine_and_layers(opened, study):
    point, x, y = apart(payload(study))
    click_at(opened, "front-plot", x, y)
    wait(opened, f"return document.getElementById('card-title').textContent.startsWith('Point {point}')")
    assert text(opened, "yaml") == accelerator_yaml(study.accelerator(point))
    assert f"#point={point}" in opened.current_url
    front = opened.execute_script("return JSON.parse(document.getElementById('study').textContent).layers.costs")
    if str(point) in front:
        layers = study.layers(point, study.subnets[0])
        assert count(opened, "#layer-table tbody tr") == len(layers)
        assert f"{int(layers['cycles'].sum()):,}" in text(opened, "layer-table")


def test_a_point_without_layers_says_so(opened):
    data = json.loads(text(opened, "study"))
    bare = next(point for point in data["points"]["id"] if str(point) not in data["layers"]["costs"])
    opened.execute_script(f"location.hash = 'point={bare}'")
    wait(opened, f"return document.getElementById('card-title').textContent.startsWith('Point {bare}')")
    assert opened.find_element("id", "layers-none").is_displayed()
    assert not opened.find_element("id", "layers").is_displayed()
    layered = next(iter(data["layers"]["costs"]))
    opened.execute_script(f"location.hash = 'point={layered}'")
    wait(opened, "return document.getElementById('layers-none').hidden")
    assert opened.find_element("id", "layer-table").is_displayed()


def test_the_download_is_the_point_s_accelerator(opened, study, downloads):
    point = int(text(opened, "card-title").split()[1].removesuffix("on").removesuffix("dominated"))
    opened.find_element("id", "download").click()
    path = downloads / f"point-{point}.yaml"
    until = time.monotonic() + 10
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert path.read_text() == accelerator_yaml(study.accelerator(point))
    assert Accelerator.load(path) == study.accelerator(point)


def test_the_table_of_the_front_tells_its_least_figures_apart(browser, study, tmp_path):
    data = json.loads(json.dumps(payload(study)))
    front = np.flatnonzero(data["points"]["front"])
    least = [9.3021, 9.3047, *(108.2 + n for n in range(len(front) - 2))]
    for n, value in zip(front, least, strict=True):
        data["points"]["objectives"][0][n] = value
    (tmp_path / "wide.html").write_text(page(facts(study), data, [], plotly_script()), encoding="utf-8")
    open_page(browser, tmp_path / "wide.html")
    cells = "return [...document.querySelectorAll('#front-table tbody td:nth-child(2)')].map((td) => td.textContent)"
    assert browser.execute_script(cells)[:3] == ["9.302", "9.305", "108.200"]


def test_drop_downs_change_axes_and_colours(opened):
    axes = "const { _fullLayout: { xaxis, yaxis }, layout } = document.getElementById('front-plot'); "
    before = opened.execute_script("return document.getElementById('front-plot').data[3].x")
    choose(opened, "front-x", "o2")
    choose(opened, "front-colour", "k2")
    assert opened.execute_script(axes + "return layout.annotations.map((one) => one.text)") == [
        "area (mm²)", "energy (µJ)"
    ]  # fmt: skip
    after, shades, title = opened.execute_script(
        "const one = document.getElementById('front-plot').data[3];"
        "return [one.x, one.marker.color, one.marker.colorbar.title.text]"
    )
    assert after != before
    assert title == "PB"
    assert set(shades) <= {0, 1}
    choose(opened, "front-x", "o0")
    opened.find_element("id", "front-log").click()  # latency spans 1.6 times its least, energy too little to show more
    assert opened.execute_script(axes + "return [xaxis.type, yaxis.type]") == ["log", "linear"]
    opened.find_element("id", "front-log").click()
    assert opened.execute_script(axes + "return [xaxis.type, yaxis.type]") == ["linear", "linear"]
    assert opened.execute_script("return document.getElementById('front-plot').data[3].x") == before


def test_what_is_brushed_is_kept_in_the_front(opened, study):
    choose(opened, "parallel-which", "all")
    opened.execute_script("return Plotly.restyle('parallel-plot', {'dimensions[0].constraintrange': [[-0.4, 0.4]]})")
    legal = study.points[study.points["legal"]]
    kept = int((legal["KP"] == 2).sum())
    wait(opened, "return document.getElementById('front-kept').textContent")
    assert text(opened, "front-kept").startswith(f"{kept} of {len(legal)} points")
    opened.find_element("id", "parallel-clear").click()
    assert text(opened, "front-kept") == ""


def test_the_layer_table_sorts_and_says_where_a_layer_is_in_the_roofline(opened):
    opened.find_element("css selector", "#layer-table [data-key=cycles]").click()
    cells = opened.execute_script(
        "return [...document.querySelectorAll('#layer-table tbody tr')].map((row) => row.cells[3].textContent)"
    )
    cycles = [int(cell.replace(",", "")) for cell in cells if cell]
    assert cycles == sorted(cycles, reverse=True)
    assert len(cycles) > 5
    opened.execute_script("document.querySelector('#layer-table tbody tr').click()")
    widths = opened.execute_script(
        "return document.getElementById('roofline-plot').data.flatMap((trace) => trace.marker?.line.width ?? [])"
    )
    assert sorted(widths)[-2:] == [0.8, 3]


def test_dark_pages_and_phones(opened):
    light = opened.execute_script("return document.getElementById('front-plot').layout.xaxis.tickfont.color")
    theme = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", theme)
    colour = "document.getElementById('front-plot').layout.xaxis.tickfont.color"
    wait(opened, f"return {colour} === '{MUTED.dark}'")
    assert light == MUTED.light
    resize(opened, 390)
    wait(opened, "return document.getElementById('front-plot')._fullLayout.width < 390")
    assert opened.execute_script("return document.documentElement.scrollWidth") <= 390


def test_texts_are_never_markup(browser, study, tmp_path):
    evil = "<script>window.bad = 1</script><img src=x onerror='window.bad = 1'></script>"
    data = json.loads(json.dumps(payload(study)))
    for knob in data["knobs"]:
        knob["name"] += evil
        knob["labels"] = [label + evil for label in knob["labels"]]
    for one in data["objectives"]:
        one["title"] += evil
    for effect in data["effects"]:
        effect["groups"] = [group + evil for group in effect["groups"]]
    layers = data["layers"]
    for rows in layers["what"].values():
        rows["name"] = [name + evil for name in rows["name"]]
    layers["what"] = {net + evil: rows for net, rows in layers["what"].items()}
    for point, nets in layers["costs"].items():
        layers["costs"][point] = {net + evil: cost for net, cost in nets.items()}
    said = {**facts(study), "space": evil, "SubNets": [evil]}
    (tmp_path / "evil.html").write_text(page(said, data, [Reason(evil, 8, 1)], plotly_script()), encoding="utf-8")
    resize(browser, WIDTH)
    open_page(browser, tmp_path / "evil.html")
    assert browser.execute_script("return window.bad") is None
    assert count(browser, "img") == 0
    assert evil in browser.find_element("tag name", "h1").text
    assert count(browser, "#layer-table tbody tr") > 5
    point, x, y = apart(data)
    click_at(browser, "front-plot", x, y)
    wait(browser, f"return document.getElementById('card-title').textContent.startsWith('Point {point}')")
    assert count(browser, "img") == 0
    assert browser.execute_script("return window.bad") is None
    assert errors(browser) == []
