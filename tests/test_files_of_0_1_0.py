"""What users of fastswitch 0.1.0 hold: each of its files is read, or refused with one line that says what to do."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import read_layer_table
from arch_model.spaces import get_space, read_subnets
from mapper.hybrid.partition import Partition
from mapper.serving.table_file import load_table
from reports.commands.command_line import cli
from sim.explore.study import load_study

OLD = Path(__file__).parent / "files_of_0_1_0"
TINY = Accelerator.load("tiny")


def said(*words: str | Path) -> tuple[int, str]:
    """Exit status of a command and the last line that it says."""
    made = CliRunner().invoke(cli, [str(word) for word in words])
    if isinstance(made.exception, FastSwitchError):
        return 2, str(made.exception)
    return made.exit_code, made.stderr.strip().splitlines()[-1]


# ------------------------------------------------------------------------------------ what is read


@pytest.mark.parametrize("name", ["tiny", "u50"])
def test_accelerator_files_describe_the_same_machines(name: str) -> None:
    old, now = Accelerator.load(OLD / f"{name}.yaml"), Accelerator.load(name)
    cycles = {"latency_cycles": now.dram.latency_cycles, "cycles_per_beat": now.dram.cycles_per_beat}
    assert old == now.replace(dram=cycles, device=None)
    assert (old.dram.latency_ns, old.dram.bytes_per_s) == (None, None)


def test_lists_of_subnets_are_read() -> None:
    assert [net.name for net in read_subnets(OLD / "subnets.json")] == [
        "fashion-d122-w422",
        "fashion-d221-w243",
        "fashion-d121-w333",
    ]


def test_layer_tables_are_read() -> None:
    rows = read_layer_table(OLD / "predict.csv")
    assert rows[0].layer.name == "stem" and rows[0].layer.macs == 112896


def test_partitions_are_read() -> None:
    partition = Partition.read(OLD / "partition.json")
    assert (partition.network, partition.facts["max_loss_points"]) == ("fashion-d222-w444", 90.0)


# ------------------------------------------------------------------------------------ what is refused


def test_tables_are_named() -> None:
    """Their cycles had pools over windows left out."""
    with pytest.raises(FastSwitchError) as error:
        load_table(OLD / "table.parquet", TINY, get_space("fashion"))
    assert str(error.value) == (
        f"table {OLD / 'table.parquet'} is of schema 1, which fastswitch 0.1.0 wrote, and this one reads schema 2; "
        "give one that fastswitch table writes now"
    )


def test_studies_are_named() -> None:
    """Their points had depthwise layers left out."""
    with pytest.raises(FastSwitchError) as error:
        load_study(OLD / "study")
    assert str(error.value) == (
        f"study {OLD / 'study'} is of schema 1, which fastswitch 0.1.0 wrote, and this one reads schema 2; give a "
        "folder that this version of fastswitch explore wrote"
    )


def test_a_study_is_not_gone_on_with(tmp_path: Path) -> None:
    folder = shutil.copytree(OLD / "study", tmp_path / "study")
    words = ["--space", "fashion", "--subnets", "fashion-d111-w222", "--vary", "KP=2,4", "--accelerator", "tiny"]
    status, line = said("explore", *words, "--out", folder, "--no-report", "--backend", "joblib:1")
    assert status == 2 and "an older fastswitch wrote it" in line and "give another --out, or --force" in line
    with sqlite3.connect(folder / "study.sqlite") as database:  # as it was
        assert database.execute("SELECT COUNT(*) FROM fastswitch").fetchone()[0] > 0


def test_rows_of_predict_are_not_replaced(tmp_path: Path) -> None:
    path = Path(shutil.copy(OLD / "predict.csv", tmp_path))
    before = path.read_bytes()
    status, line = said("predict", "--subnets", OLD / "subnets.json", "--accelerator", "tiny", "--csv", path)
    assert status == 2 and path.read_bytes() == before
    assert line.endswith(
        "was written by fastswitch 0.1.0, which did not record its question; give another file, or --force to replace "
        "what it holds"
    )


# ------------------------------------------------------------------------------------ what comes later


def test_a_study_of_a_later_schema_is_named(tmp_path: Path) -> None:
    record = {"fastswitch": "results", "format": 1, "files": [], "question": {"command": "explore", "schema": 3}}
    (tmp_path / "question.json").write_text(json.dumps(record))
    with pytest.raises(FastSwitchError, match="is of schema 3, which another version of fastswitch wrote"):
        load_study(tmp_path)
