"""The page as a file: what it says equals the rows, it needs nothing else, and faults are loud."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from reports.queries import CLASSES
from reports.stream import write_page, write_picture
from tests.reports.stream_rows import stream

VOID = {"meta", "link", "img", "br"}
NASTY = "<script>alert('x')</script>&amp;\"$a_b$"


class Page(HTMLParser):
    """A parsed page: text and attributes by table row, and every tag closed where it should be."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []  # tag, name, value
        self.rows: list[dict[str, Any]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self._data = ""
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = {name: value or "" for name, value in attrs}
        assert len(values) == len(attrs)
        self.attributes += [(tag, name, value) for name, value in values.items()]
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append(
                {"id": values.get("id"), "class": values.get("class", ""), "text": "", "values": {}, "shown": {}}
            )
        elif tag == "data":
            self._data = values["class"]
            self.rows[-1]["values"][self._data] = values["value"]
            self.rows[-1]["shown"][self._data] = ""
        elif tag == "img":
            self.rows[-1]["image"] = values["src"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.remove(tag) if tag not in VOID else None

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self._data = "" if tag == "data" else self._data

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if "tr" in self._open:
            self.rows[-1]["text"] += data
            if self._data:
                self.rows[-1]["shown"][self._data] += data


def read(path: Path) -> tuple[str, Page]:
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


@pytest.mark.parametrize("count", [1, 2, 16, 64])
def test_the_table_holds_every_query_and_its_numbers(tmp_path: Path, count: int) -> None:
    rows, summary = stream(count, seed=count)
    path = write_page(rows, summary, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "stream.html"
    _, page = read(path)
    body = page.rows[1:]  # below the headings
    assert [row["id"] for row in body] == [f"query-{n}" for n in range(count)]
    for row, found in zip(rows, body, strict=True):
        values, shown = found["values"], found["shown"]
        for key in ("query", "dram_bytes", "pb_saved_bytes", "predicted_cycles", "simulated_cycles"):
            assert int(values[key]) == row[key] == int(shown[key].replace(",", ""))
        for key in ("min_accuracy", "subnet_accuracy", "cycle_error", "max_latency_s"):
            assert float(values[key]) == row[key]
        assert float(shown["subnet_accuracy"].rstrip("\u2009%")) == pytest.approx(
            100 * row["subnet_accuracy"], abs=0.005
        )
        percent = float(shown["cycle_error"].rstrip("\u2009%").replace("−", "-"))
        assert percent == pytest.approx(100 * row["cycle_error"], abs=0.0005)
        # cycles at 100 MHz are 10 ns each
        assert float(shown["latency_s"].rstrip("\u2009ms")) == pytest.approx(row["simulated_cycles"] * 1e-5, abs=0.0005)
        assert shown["predicted_class"] == CLASSES[row["predicted_class"]]
        assert row["subnet"] in found["text"] and row["cached_subgraph"] in found["text"]
        assert "bit-exact" in found["text"] and found["class"] == ""
        assert found["image"].startswith("data:image/png;base64,")


def test_the_headline_by_hand(tmp_path: Path) -> None:
    rows, summary = stream(2, simulated_cycles={0: 100_000, 1: 200_000})
    summary |= {"max_cycle_error": 0.0123, "bytes_saved_fraction": 0.3456, "accuracy": 0.5, "clock_hz": 200e6}
    text = " ".join(read(write_page(rows, summary, tmp_path))[1].text)
    # 300,000 cycles at 200 MHz are 1.5 ms, for two queries
    for number in ("2 of 2", "1.23 %", "34.6 %", "50.0 %", "0.750 ms", "200 MHz"):
        assert number in re.sub(r"\s+", " ", text), number


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    text, page = read(write_page(*stream(16), tmp_path))
    without_images = re.sub(r"data:image/png;base64,[\w+/=]+", "", text)
    assert not re.search(r"https?:|//[a-z]|@import|@font-face", without_images)
    assert "script" not in page.tags
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "xlink:href", "data", "action"):
            assert value.startswith(("#", "data:")), (tag, name, value)
    assert all(url.startswith("#") for url in re.findall(r"url\(([^)]*)\)", text))


def test_every_svg_is_xml_with_text_and_one_id_once(tmp_path: Path) -> None:
    text, _ = read(write_page(*stream(16, bit_exact={3: False}), tmp_path))
    plots = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(plots) == 3
    trees = [ElementTree.fromstring(plot) for plot in plots]
    for tree in trees:
        assert tree.get("aria-label") and tree.find(".//text") is not None
    words = {element.text for element in trees[0].iter("text")}
    assert {"fashion-d222-w444", "latency target", "s2b1_conv2", "time, ms", "capacity 49,152 bytes"} <= words
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))
    used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)
    assert {a or b for a, b in used} <= set(identifiers)


def test_names_are_escaped(tmp_path: Path) -> None:
    rows, summary = stream(3, subnet={1: NASTY}, cached_subgraph={1: NASTY}, pb_layers={1: {NASTY: 30_000}})
    summary |= dict.fromkeys(("accelerator", "policy", "version", "simulator", "command"), NASTY)
    text, page = read(write_page(rows, summary, tmp_path))
    assert "script" not in page.tags and "<script" not in text
    assert page.rows[2]["text"].count(NASTY) == 2
    assert "".join(page.text).count(NASTY) >= 10  # also in the heading, the plots and the foot
    for plot in re.findall(r"<svg.*?</svg>", text, re.S):
        ElementTree.fromstring(plot)


def test_a_query_that_is_not_bit_exact_is_loud(tmp_path: Path) -> None:
    good, _ = read(write_page(*stream(16), tmp_path))
    assert "NOT BIT-EXACT" not in good and "DIFFERENT" not in good and 'role="alert"' not in good
    text, page = read(write_page(*stream(16, bit_exact={6: False}), tmp_path))
    assert "<title>NOT BIT-EXACT: " in text
    banner = re.search(r'<p class="banner" role="alert">(.*?)</p>', text)
    assert banner and "1 of 16" in banner[1] and "query 6 " in banner[1]
    assert [row["id"] for row in page.rows if row["class"] == "different"] == ["query-6"]
    assert [row["id"] for row in page.rows if "DIFFERENT" in row["text"]] == ["query-6"]
    assert "15 of 16" in re.sub(r"\s+", " ", " ".join(page.text))
    assert ">not bit-exact<" in text and ">not bit-exact<" not in good  # the ring's legend


def test_a_summary_that_is_not_bit_exact_is_loud_too(tmp_path: Path) -> None:
    rows, summary = stream(2)
    assert 'role="alert"' in read(write_page(rows, summary | {"bit_exact": False}, tmp_path))[0]


def test_wrong_classes_and_missed_targets_are_marked(tmp_path: Path) -> None:
    rows, summary = stream(
        4,
        label={0: 9},
        predicted_class={0: 5},
        min_accuracy={1: 0.99, 3: None},
        max_latency_s={2: 1e-6, 3: None},
    )
    _, page = read(write_page(rows, summary, tmp_path))
    marks = [re.findall(r"✗", row["text"]) for row in page.rows[1:]]
    assert [len(found) for found in marks] == [1, 1, 1, 0]
    assert "Sandal✗ is Ankle boot" in page.rows[1]["text"]
    assert re.search(r"✗ ≥ 99\.00\s%", page.rows[2]["text"])
    assert re.search(r"✗ ≤ 0\.001\sms", page.rows[3]["text"])
    assert page.rows[4]["text"].count("no target") == 2
    words = " ".join(page.text)
    assert "1 query missed the latency asked for and 1 query missed the accuracy asked for" in words


def test_random_images_have_no_label(tmp_path: Path) -> None:
    """Neither right nor wrong, in colour here, and no accuracy; the classes are those of the SubNet's images."""
    rows, summary = stream(2, label={0: None, 1: None}, subnet={1: "cifar-d111-e101010"}, predicted_class={0: 9, 1: 9})
    rows[1]["image"] = np.random.default_rng(1).integers(0, 256, (3, 32, 32), np.uint8)
    _, page = read(write_page(rows, summary | {"accuracy": None, "images": "random"}, tmp_path))
    assert ["Ankle boot" in page.rows[1]["text"], "truck" in page.rows[2]["text"]] == [True, True]
    assert "right" not in " ".join(row["text"] for row in page.rows[1:])
    assert not re.findall("✗ is", " ".join(page.text)) and all("image" in row for row in page.rows[1:])


def test_image_may_be_absent_or_nested_lists(tmp_path: Path) -> None:
    rows, summary = stream(2)
    rows[0]["image"] = rows[0]["image"].tolist()
    del rows[1]["image"]
    _, page = read(write_page(rows, summary, tmp_path))
    assert "image" in page.rows[1] and "image" not in page.rows[2]


def test_equal_input_gives_equal_bytes_in_another_process(tmp_path: Path) -> None:
    first = write_page(*stream(8), tmp_path / "a").read_bytes()
    assert write_page(*stream(8), tmp_path / "b").read_bytes() == first
    program = (
        "import sys; from pathlib import Path; from reports.stream import write_page;"
        "from tests.reports.stream_rows import stream; write_page(*stream(8), Path(sys.argv[1]))"
    )
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": str(root), "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", program, tmp_path / "c"], check=True, env=environment, cwd=tmp_path)
    assert (tmp_path / "c" / "stream.html").read_bytes() == first


def test_the_users_own_plot_settings_neither_apply_nor_change(tmp_path: Path) -> None:
    import matplotlib

    first = write_page(*stream(3), tmp_path).read_bytes()
    with matplotlib.rc_context({"font.size": 30, "savefig.bbox": "tight", "svg.fonttype": "path"}):
        before = dict(matplotlib.rcParams)
        assert write_page(*stream(3), tmp_path).read_bytes() == first
        assert dict(matplotlib.rcParams) == before


def test_the_picture_is_a_png_of_1400_by_700(tmp_path: Path) -> None:
    path = write_picture(*stream(16), tmp_path / "stream.png")
    png = path.read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (1400, 700)
    assert write_picture(*stream(16), tmp_path / "again.png").read_bytes() == png
    assert write_picture(*stream(16, bit_exact={2: False}), tmp_path / "bad.png").read_bytes() != png


@pytest.mark.parametrize("write", [write_page, write_picture])
def test_without_matplotlib_one_line_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(FastSwitchError, match=r"pip install 'fastswitch\[report\]'") as error:
        write(*stream(2), tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_the_module_does_not_import_matplotlib() -> None:
    program = "import sys, reports.stream; sys.exit('matplotlib' in sys.modules)"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"PYTHONPATH": str(root)})


def test_no_rows_and_no_room_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(FastSwitchError, match="0 queries"):
        write_page([], stream(1)[1], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(FastSwitchError, match=r"cannot write to .*file: File exists"):
        write_page(*stream(1), tmp_path / "file")
    with pytest.raises(FastSwitchError, match=r"cannot write .*a\.png: "):
        write_picture(*stream(1), tmp_path / "nowhere" / "a.png")


def test_without_a_pb(tmp_path: Path) -> None:
    rows, summary = stream(3, cached_subgraph=dict.fromkeys(range(3), "none"))
    rows = [row | {"pb_layers": {}, "pb_saved_bytes": 0, "switched": False} for row in rows]
    text, _ = read(write_page(rows, summary | {"pb_bytes": 0, "bytes_saved_fraction": 0.0}, tmp_path))
    assert "no new SubGraph" in text and "capacity 0 bytes" in text
