"""What Verilator counted of the statements and branches of the Verilog: read, merged, summed up by module.

A simulation built with ``coverage=True`` (:mod:`sim.rtl_bench.bench_build`) leaves ``coverage.dat``: a line a point,
how often the statements after it ran, or how often a branch was taken. Instances of a module are one, and so, in a
summary, are modules that differ in numbers alone (memories of other sizes): they come from the same source.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from arch_model.errors import SimulatorError

STATEMENTS, BRANCHES = "line", "branch"
WAKES = re.compile(r"if \(\\\$auto\$verilog_backend\S+ \) begin end")
Counts = Mapping["Point", int]


@dataclass(frozen=True, order=True)
class Point:
    """A place in the Verilog.

    Attributes
    ----------
    file, module : where it is.
    line, column : in the file.
    kind : STATEMENTS or BRANCHES.
    what : the side (``if``, ``else``, ``case``).
    """

    file: str
    module: str
    line: int
    column: int
    kind: str
    what: str


@dataclass(frozen=True)
class Covered:
    """Points that were reached, of how many.

    Attributes
    ----------
    reached : points.
    points : of how many.
    """

    reached: int
    points: int

    @property
    def part(self) -> float:
        """0 to 1; of nothing, all."""
        return self.reached / self.points if self.points else 1.0


def read_coverage(path: Path) -> Counter[Point]:
    """The counts of a ``coverage.dat``.

    Raises
    ------
    SimulatorError
        It cannot be read, or is something else.
    """
    counts: Counter[Point] = Counter()
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as error:
        raise SimulatorError(f"coverage {path} cannot be read: {error.strerror}") from None
    if not lines or not lines[0].startswith("# SystemC::Coverage"):
        raise SimulatorError(f"{path} is not the coverage of a Verilator simulation")
    for text in lines[1:]:
        if match := re.fullmatch(r"C '(.*)' (\d+)", text):
            found = dict(pair.split("\2", 1) for pair in match[1].split("\1") if "\2" in pair)
            kind, _, module = found["page"].partition("/")
            name, place = Path(found["f"]).name, (int(found["l"]), int(found["n"]))
            counts[Point(name, module, *place, kind.removeprefix("v_"), found.get("o", ""))] += int(match[2])
    return counts


def merged(several: Iterable[Counts]) -> Counter[Point]:
    """The sum of several runs of one build."""
    total: Counter[Point] = Counter()
    for counts in several:
        for point, count in counts.items():
            total[point] += count
    return total


def of_design(counts: Counts, verilog: Path) -> Counter[Point]:
    """The points of a file that Yosys wrote which are the design's.

    The others: Yosys begins each combinational process with ``if (\\$auto$verilog_backend... ) begin end``, which never
    holds and does nothing; it is there so that the process runs at time 0 (:mod:`rtl.time0_init`).

    Parameters
    ----------
    counts : of points.
    verilog : the file.
    """
    lines = verilog.read_text().splitlines()
    return Counter(
        {
            point: count
            for point, count in counts.items()
            if point.file == verilog.name and not WAKES.search(lines[point.line - 1])
        }
    )


def source_name(module: str) -> str:
    """The name that a module shares with its like.

    >>> source_name("fastswitch.machine.drain_act"), source_name("fastswitch_block_memory_512x1024__2")
    ('drain_act', 'block_memory')
    """
    name = re.sub(r"^fastswitch[._](machine\.)?", "", module)
    return re.sub(r"(_+\d+(x\d+)?)+(?=\.|$)", "", name)


def summary(counts: Counts, kind: str) -> dict[str, Covered]:
    """By :func:`source_name`, how much of a kind was reached.

    Parameters
    ----------
    counts : of points.
    kind : STATEMENTS or BRANCHES.
    """
    reached: dict[str, list[bool]] = defaultdict(list)
    for point, count in counts.items():
        if point.kind == kind:
            reached[source_name(point.module)].append(count > 0)
    return {name: Covered(sum(hits), len(hits)) for name, hits in sorted(reached.items())}


def total(counts: Counts, *kinds: str) -> Covered:
    """How much was reached over all modules.

    Parameters
    ----------
    counts : of points.
    kinds : STATEMENTS, BRANCHES or both.
    """
    found = [count > 0 for point, count in counts.items() if point.kind in kinds]
    return Covered(sum(found), len(found))
