"""``fastswitch table``: what it prints and writes, and bad input in one line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space, subnet_entry
from mapper.cost.network_costs import NetworkCosts
from mapper.serving.table_file import TABLE, load_table
from tests.test_fastswitch import call

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")


@pytest.mark.parametrize("listed", [False, True])
def test_a_table_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path, listed: bool) -> None:
    out, nets, source = tmp_path / "t", FASHION.sample(4, seed=2), "4"
    if listed:
        (tmp_path / "nets.json").write_text(json.dumps([subnet_entry(net) for net in nets]))
        source = str(tmp_path / "nets.json")
    words = ("--space", "fashion", "--subnets", source, "--subgraphs", "3", "--seed", "2", "--out", str(out))
    status, text, _ = call(capsys, "table", *words)
    assert status == 0
    assert text.split()[:4] == ["SubNets", "of", "different", "steps"] and f"table  {out / TABLE}\n" in text
    table = load_table(out, TINY, FASHION)
    assert table.subnets == tuple(net.name for net in nets) and len(table.subgraphs) == 4
    graphs = [SubGraph.decode(FASHION, vector) for vector in table.vectors]
    assert np.array_equal(table.cycles, NetworkCosts(FASHION, TINY).of_subgraphs(nets, graphs).cycles)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--space", "nope", "--subnets", "2"), "SuperNet nope does not exist; give one of fashion"),
        (("--space", "fashion", "--subnets", "999"), "count is 999; give 1..216"),
        (("--space", "fashion", "--subnets", "none.json"), "SubNets none.json does not exist"),
        (("--space", "ofa-resnet50", "--subnets", "resnet50D_MAC@0.6B"), "bytes of a half of the ZSB; tiny has 2048"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    status, _, err = call(capsys, "table", *words, "--subgraphs", "2", "--out", str(tmp_path / "t"))
    lines = [line for line in err.splitlines() if not line.endswith(" ...")]
    assert status == 2 and len(lines) == 1 and message in lines[0]


def test_another_machines_file_is_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / TABLE
    words = ("table", "--space", "fashion", "--subnets", "2", "--subgraphs", "2", "--out", str(tmp_path))
    assert call(capsys, *words)[0] == 0
    before = out.read_bytes()
    status, _, err = call(capsys, *words, "--accelerator", "zcu104")
    assert status == 2 and "accelerator is tiny there and zcu104 here" in err
    assert out.read_bytes() == before


def test_an_interrupt_keeps_finished_blocks(tmp_path: Path) -> None:
    words = ("--space", "fashion", "--subnets", "210", "--subgraphs", "60", "--out", str(tmp_path))
    process = subprocess.Popen([sys.executable, "-m", "fastswitch", "table", *words], stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("blocks/*.npy")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"interrupted; finished blocks are in {tmp_path}, the same command goes on with them" in err
    assert list(tmp_path.glob("blocks/*.npy")) and not (tmp_path / TABLE).exists()
