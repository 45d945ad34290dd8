"""Coverage files: read, merged, summed up by module."""

from pathlib import Path

import pytest

from arch_model.errors import SimulatorError
from sim.rtl_bench.coverage import (
    BRANCHES,
    STATEMENTS,
    Covered,
    Point,
    merged,
    read_coverage,
    source_name,
    summary,
    total,
)


def line(module: str, at: int, kind: str, what: str, count: int, instance: str = "bench") -> str:
    """A point as Verilator 5.048 writes it."""
    fields = {"f": "/some/where/fastswitch.v", "l": at, "n": 5, "t": kind, "page": f"v_{kind}/{module}",
              "o": what, "S": at, "h": instance}  # fmt: skip
    return "C '" + "".join(f"\1{key}\2{value}" for key, value in fields.items()) + f"' {count}"


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["# SystemC::Coverage-3", *lines]) + "\n")
    return path


RUN, DPE = "fastswitch.machine.compute.run", "fastswitch.machine.compute.array.dpe"


def test_instances_are_one_and_runs_add_up(tmp_path: Path) -> None:
    one = read_coverage(
        written(
            tmp_path / "one.dat",
            line(RUN, 7, "line", "block", 3, "bench.a"),
            line(RUN, 7, "line", "block", 4, "bench.b"),
            line(RUN, 9, "branch", "if", 0),
            line(RUN, 9, "branch", "else", 2),
            line(f"{DPE}_0_0", 20, "line", "block", 0),
        )
    )
    other = read_coverage(
        written(
            tmp_path / "other.dat",
            line(RUN, 9, "branch", "if", 5),
            line(RUN, 9, "branch", "else", 0),
            line(f"{DPE}_0_1", 30, "line", "block", 1),
        )
    )
    assert one[Point("fastswitch.v", RUN, 7, 5, STATEMENTS, "block")] == 7
    assert summary(one, BRANCHES) == {"compute.run": Covered(1, 2)}
    both = merged([one, other])
    assert summary(both, BRANCHES) == {"compute.run": Covered(2, 2)}
    assert summary(both, STATEMENTS) == {"compute.array.dpe": Covered(1, 2), "compute.run": Covered(1, 1)}
    assert total(both, STATEMENTS, BRANCHES) == Covered(4, 5) and total(both, STATEMENTS).part == 2 / 3


def test_names_without_a_number_stay() -> None:
    assert source_name("fastswitch.machine.control") == "control"
    assert source_name("fastswitch.machine.fetch.run_queue.unbuffered") == "fetch.run_queue.unbuffered"


def test_what_is_no_coverage_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_text("nothing\n")
    with pytest.raises(SimulatorError, match=r"a\.dat is not the coverage"):
        read_coverage(tmp_path / "a.dat")
    with pytest.raises(SimulatorError, match=r"b\.dat cannot be read"):
        read_coverage(tmp_path / "b.dat")
