"""SushiAbs on disk: what is written is read, work that was killed goes on, another machine's table is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arch_model.errors import FastSwitchError, MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.pinning.sampling import draw_subgraphs
from mapper.serving.latency_table import SushiAbs
from mapper.serving.table_file import KEY, TABLE, TableJob, load_table, save_table

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NETS = FASHION.sample(6, seed=3)
GRAPHS = draw_subgraphs(FASHION, NETS, 4, TINY, seed=3)
ACCURACY = {NETS[0].name: 0.5}


@pytest.fixture(scope="module")
def made():
    return SushiAbs.build({net.name: net for net in NETS}, ACCURACY, GRAPHS, FASHION, TINY)


def same(table, other):
    return (
        (table.subnets, table.subgraphs, table.clock_hz) == (other.subnets, other.subgraphs, other.clock_hz)
        and np.array_equal(table.cycles, other.cycles)
        and np.array_equal(table.vectors, other.vectors)
        and np.array_equal(table.accuracy, other.accuracy, equal_nan=True)
    )


def test_written_and_read(made, tmp_path):
    file = tmp_path / "table.parquet"
    save_table(made, file, TINY, "fashion", seed=3)
    assert same(load_table(file, TINY, FASHION), made)
    facts = json.loads(pq.read_schema(file).metadata[KEY])
    assert (facts["accelerator_hash"], facts["space"], facts["seed"]) == (TINY.hash(), "fashion", 3)
    assert facts["mapping_policy"] == "quick"
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


def test_the_policy_is_kept(made, tmp_path):
    """Of a job whose cycles are searched, and in its file; another policy is another question."""
    job = replace(TableJob.of(FASHION, NETS, GRAPHS, TINY, seed=3), block=4, accuracy=ACCURACY)
    better = replace(job, searched=lambda nets: made.cycles[[made.subnets.index(net.name) for net in nets]] - 1)
    assert (job.question["mapping_policy"], better.question["mapping_policy"]) == ("quick", "best")
    table = better.run(tmp_path)
    assert table.policy == load_table(tmp_path, TINY, FASHION).policy == "best"
    assert np.array_equal(table.cycles, made.cycles - 1)
    with pytest.raises(FastSwitchError, match=r'mapping_policy is "?best"? there and "?quick"? here'):
        job.run(tmp_path)


def test_a_job_is_the_table(made, tmp_path):
    job = replace(TableJob.of(FASHION, NETS, GRAPHS, TINY, seed=3), block=4, accuracy=ACCURACY)
    told = []
    table = job.run(tmp_path, lambda *x: told.append(x))
    assert same(table, made) and same(load_table(tmp_path, TINY, FASHION), made)
    assert [x[:2] for x in told] == [(4, 6), (6, 6)]
    assert same(job.run(tmp_path, lambda *x: told.append(x)), made) and len(told) == 2  # it was finished
    assert {path.name for path in tmp_path.iterdir()} == {TABLE, "question.json", ".lock"}


@pytest.mark.parametrize(
    ("machine", "space", "message"),
    [
        (TINY.replace(clock_hz=2e8), "fashion", "is of accelerator tiny"),
        (TINY, "ofa-resnet50", "is of space fashion; this is ofa-resnet50"),
    ],
)
def test_another_machine_or_space_is_refused(made, tmp_path, machine, space, message):
    file = tmp_path / "t.parquet"
    save_table(made, file, TINY, "fashion")
    with pytest.raises(FastSwitchError, match=message) as error:
        load_table(file, machine, get_space(space))
    assert str(file) in str(error.value)


def test_what_is_no_table_is_named(tmp_path):
    file = tmp_path / "t.parquet"
    with pytest.raises(FastSwitchError, match="does not exist; give one that fastswitch table wrote"):
        load_table(file, TINY, FASHION)
    file.write_text("no Parquet at all")
    with pytest.raises(FastSwitchError, match="cannot be read"):
        load_table(file, TINY, FASHION)
    pq.write_table(pa.table({"subnet": ["a"]}), file)
    with pytest.raises(FastSwitchError, match="is not one of this version"):
        load_table(file, TINY, FASHION)


def test_what_cannot_be_written_is_named(made, tmp_path):
    with pytest.raises(FastSwitchError, match=r"cannot write .*nowhere"):
        save_table(made, tmp_path / "nowhere" / "t.parquet", TINY, "fashion")
    (tmp_path / "file").write_text("a file where the folder should be")
    with pytest.raises(FastSwitchError, match=r"cannot write to .*file: File exists"):
        TableJob.of(FASHION, NETS, GRAPHS, TINY).run(tmp_path / "file")


def test_a_subnet_given_twice_is_named(tmp_path):
    with pytest.raises(MappingError, match=f"SubNet {NETS[0].name} is in the table twice"):
        TableJob.of(FASHION, [*NETS, NETS[0]], GRAPHS, TINY).run(tmp_path)


@pytest.mark.parametrize("finished", [False, True])
def test_another_table_is_not_mixed_in_nor_written_over(made, tmp_path, finished):
    def stop(*_):
        raise KeyboardInterrupt

    job = TableJob.of(FASHION, NETS, GRAPHS, TINY)
    if finished:
        job.run(tmp_path)
    else:
        with pytest.raises(KeyboardInterrupt):
            job.run(tmp_path, stop)
    others = (
        (TableJob.of(FASHION, NETS[1:], GRAPHS, TINY), "subnets"),
        (TableJob.of(FASHION, NETS, GRAPHS, TINY, seed=9), "seed"),
        (TableJob.of(FASHION, NETS, GRAPHS, TINY.replace(clock_hz=2e8)), "accelerator_hash"),
    )
    for other, what in others:
        with pytest.raises(FastSwitchError, match=rf"holds results of another question: {what} is"):
            other.run(tmp_path)
    assert np.array_equal(job.run(tmp_path).cycles, made.cycles)
    table = others[2][0].run(tmp_path, force=True)
    assert table.clock_hz == 2e8 and not (tmp_path / "blocks").exists()


def test_a_table_of_an_older_version_is_named(made, tmp_path):
    save_table(made, tmp_path / TABLE, TINY, "fashion")
    with pytest.raises(FastSwitchError, match=rf"holds {TABLE} but no question.json: an older fastswitch wrote it"):
        TableJob.of(FASHION, NETS, GRAPHS, TINY).run(tmp_path)
    assert same(load_table(tmp_path, TINY, FASHION), made)


COMMAND = ("--space", "fashion", "--subnets", "210", "--subgraphs", "5", "--accelerator", "tiny", "--seed", "1")


def test_killed_and_started_again_it_goes_on(tmp_path):
    """The command itself, killed once its first block is on disk: that block is taken, the rest worked out."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    words = [sys.executable, "-m", "fastswitch", "table", *COMMAND, "--out"]
    process = subprocess.Popen([*words, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    block = killed / "blocks" / "00000000.npy"
    while not block.exists() and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert block.exists() and not (killed / TABLE).exists()
    # Mark the block: if it is read back, and not worked out anew, the mark is in the table.
    cycles = np.load(block)
    cycles[0, 0] += 1_000_000_000
    np.save(block, cycles)
    for file in (killed, whole):
        subprocess.run([*words, str(file)], check=True, capture_output=True)
    found, expected = (load_table(file, TINY, FASHION) for file in (killed, whole))
    assert found.cycles[0, 0] == expected.cycles[0, 0] + 1_000_000_000
    assert np.array_equal(found.cycles.ravel()[1:], expected.cycles.ravel()[1:])
    assert len(expected.subnets) == 210
