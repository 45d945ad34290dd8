"""Synthesise an Accelerator with Yosys, module by module, and count what each component takes."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from arch_model.machine.accelerator import Accelerator
from rtl.synth.cells import COLUMNS, Target, target_of
from rtl.synth.components import component_of, part_of
from rtl.synth.errors import SynthesisError
from rtl.synth.modules import Design, Module, read_design
from rtl.synth.place import Placement, place
from rtl.synth.tools import run_yosys, yosys_version

TOP = "fastswitch"
LARGE_BYTES, LARGE_MODULES = 100_000, 8
"""Verilog and modules that one Yosys process takes at a time, so that finished ones are kept and progress shows."""

ULTRARAM = ("pb", "db", "sb")
"""Components whose large memories UltraRAMs are for; the output side, byte by byte, goes as well into block RAMs."""

OnStage = Callable[[str, int, int], None]
"""Called with what is being done, how many of its steps are done, and how many there are."""


@dataclass(frozen=True)
class SynthesisResult:
    """What a machine takes of a family's cells.

    Attributes
    ----------
    accelerator, target : of which.
    tool : that synthesised it.
    components : each component's counts of :data:`~rtl.synth.cells.COLUMNS`, all copies together.
    cells : each component's cells by type.
    parts : the counts of what a component is made of (a path such as ``store.pack``).
    modules : how many different ones there are.
    placement : what place and route said, where it was asked for.
    """

    accelerator: Accelerator
    target: Target
    tool: str
    components: Mapping[str, Mapping[str, int]]
    cells: Mapping[str, Mapping[str, int]]
    parts: Mapping[str, Mapping[str, int]]
    modules: int
    placement: Placement | None = field(default=None)

    @property
    def total(self) -> Mapping[str, int]:
        """All components together."""
        sums: Counter[str] = Counter()
        for counts in self.components.values():
            sums.update(counts)
        return {column: sums[column] for column in COLUMNS}

    def to_frame(self) -> pd.DataFrame:
        """A row a component, then ``total`` and ``per MAC`` (total / multipliers); columns component and COLUMNS."""
        rows: list[dict[str, object]] = [
            {"component": name, **{column: counts.get(column, 0) for column in COLUMNS}}
            for name, counts in self.components.items()
        ]
        rows.append({"component": "total", **self.total})
        each = {column: number / self.accelerator.multipliers for column, number in self.total.items()}
        rows.append({"component": "per MAC", **each})
        return pd.DataFrame(rows, columns=["component", *COLUMNS])


def synthesise(
    accelerator: Accelerator,
    target: str,
    folder: Path,
    *,
    ultraram: Collection[str] = (),
    placed: bool = False,
    limit_s: float | None = None,
    on_stage: OnStage = lambda stage, done, total: None,
) -> SynthesisResult:
    """Synthesise the Verilog of an accelerator.

    Equal modules are synthesised once and counted as often as they occur; nothing is flattened. A module's cells are
    kept in the user's cache folder, so another machine pays only for what is new in it. Before, the whole design is
    flattened and checked: no combinational loop, no latch, no wire with two drivers.

    Parameters
    ----------
    accelerator : the machine.
    target : ``"xilinx"`` or ``"ecp5"``.
    folder : receives scripts and logs.
    ultraram : (xilinx) components whose large memories may become UltraRAMs.
    placed : (ecp5, small machines) nextpnr places and routes the whole of it.
    limit_s : seconds of each process. None: no limit.
    on_stage : called with the stage of the work, what is done and what there is to do.

    Raises
    ------
    SynthesisError
        The target cannot do this, a check fails, or a tool does.
    """
    from rtl.generate import verilog  # Amaranth, only if there is something to do

    chosen = target_of(target)
    if placed and chosen.name != "ecp5":
        raise SynthesisError(f"target is {target}; only ecp5 can be placed and routed")
    tool = f"yosys {yosys_version()}"
    folder.mkdir(parents=True, exist_ok=True)
    on_stage("writing Verilog", 0, 1)
    text = verilog(accelerator)
    (folder / f"{TOP}.v").write_text(text)
    on_stage("checking", 0, 1)
    check(folder, limit_s)
    design = read_design(text, TOP)
    cells = synthesise_modules(design, chosen, folder, ultraram=ultraram, limit_s=limit_s, on_stage=on_stage)
    by_component, by_part = (_sums(design, cells, name_of) for name_of in (component_of, part_of))
    placement = None
    if placed:
        on_stage("placing", 0, 1)
        placement = place(accelerator, folder, TOP, limit_s)
    return SynthesisResult(
        accelerator,
        chosen,
        tool,
        {name: dict(chosen.resources(counts)) for name, counts in by_component.items()},
        by_component,
        {name: dict(chosen.resources(counts)) for name, counts in by_part.items()},
        len(design.modules),
        placement,
    )


def synthesise_modules(
    design: Design,
    target: Target,
    folder: Path,
    *,
    ultraram: Collection[str] = (),
    limit_s: float | None = None,
    on_stage: OnStage = lambda stage, done, total: None,
) -> dict[str, dict[str, int]]:
    """Cells by type of each module of a design, what it contains counted as cells of the names of its children.

    Parameters
    ----------
    design : its modules.
    target : the family.
    folder : receives scripts and logs.
    ultraram : components whose large memories may become UltraRAMs.
    limit_s : seconds of each process. None: no limit.
    on_stage : called with the stage of the work, what is done and what there is to do.
    """
    return _Modules(design, target, f"yosys {yosys_version()}", folder, limit_s, on_stage).cells(ultraram)


def check(folder: Path, limit_s: float | None = None) -> None:
    """Check ``fastswitch.v`` in a folder, every module and all of them flattened.

    Parameters
    ----------
    folder : with the Verilog.
    limit_s : seconds. None: no limit.

    Raises
    ------
    SynthesisError
        There is a combinational loop, a latch, a wire with two drivers or without one.
    """
    check_all = "check -nolatches -assert"
    passes = (f"read_verilog {TOP}.v", f"hierarchy -check -top {TOP}", "proc", check_all, "flatten", check_all)
    run_yosys(passes, folder, "check", limit_s)


def _sums(
    design: Design, cells: Mapping[str, Mapping[str, int]], name_of: Callable[[str], str]
) -> dict[str, dict[str, int]]:
    sums: dict[str, Counter[str]] = {}
    for path, module in design.instances.items():
        own = Counter({cell: n for cell, n in cells[module].items() if cell not in design.modules})
        sums.setdefault(name_of(path), Counter()).update(own)
    return {name: dict(counts) for name, counts in sorted(sums.items())}


@dataclass
class _Modules:
    """The modules of a design, synthesised or remembered."""

    design: Design
    target: Target
    tool: str
    folder: Path
    limit_s: float | None
    on_stage: OnStage

    def cells(self, ultraram: Collection[str]) -> dict[str, dict[str, int]]:
        large = {name for path, name in self.design.instances.items() if component_of(path) in ultraram}
        found: dict[str, dict[str, int]] = {}
        wanted: list[tuple[bool, Module]] = []
        for name, module in self.design.modules.items():
            kept = self._kept(name, name in large)
            if kept.exists():
                found[name] = json.loads(kept.read_text())
            else:
                wanted.append((name in large, module))
        total = len(wanted)
        for number, chunk in enumerate(_chunks(wanted)):
            self.on_stage("synthesising modules", len(found) - len(self.design.modules) + total, total)
            for name, counts in self._synthesised(f"modules_{number}", chunk[0][0], [m for _, m in chunk]).items():
                found[name] = counts
                kept = self._kept(name, chunk[0][0])
                kept.parent.mkdir(parents=True, exist_ok=True)
                draft = kept.with_suffix(f".{os.getpid()}")
                draft.write_text(json.dumps(counts))
                draft.rename(kept)
        return found

    def _kept(self, module: str, ultraram: bool) -> Path:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastswitch" / "synth"
        command = self.target.command.replace(" ", "") + ("-uram" if ultraram else "")
        return base / f"{self.tool.replace(' ', '-')}-{command}" / f"{module}.json"

    def _synthesised(self, name: str, ultraram: bool, modules: Sequence[Module]) -> dict[str, dict[str, int]]:
        """One Yosys process: the modules below a top of their own, what they contain as black boxes."""
        texts = [module.text for module in modules]
        chosen = {module.name for module in modules}
        inner = {child for module in modules for child in module.children} - chosen
        texts += [self.design.modules[child].shell for child in sorted(inner)]
        instances = "".join(f"  (* keep *) {module.name} keep_{i} ();\n" for i, module in enumerate(modules))
        (self.folder / f"{name}.v").write_text("".join(texts) + f"module bundle();\n{instances}endmodule\n")
        passes = (
            f"read_verilog {name}.v",
            f"{self.target.command}{' -uram' if ultraram else ''} -top bundle",
            "check -mapped -assert",
            f"tee -q -o {name}.json stat -json",
        )
        run_yosys(passes, self.folder, name, self.limit_s)
        stat = json.loads((self.folder / f"{name}.json").read_text())["modules"]
        return {module: stat[f"\\{module}"]["num_cells_by_type"] for module in chosen}


def _chunks(modules: Sequence[tuple[bool, Module]]) -> Iterator[list[tuple[bool, Module]]]:
    """Modules that go together: with UltraRAM or without, the small ones first."""
    chunk: list[tuple[bool, Module]] = []
    size = 0
    for large, module in sorted(modules, key=lambda pair: (pair[0], len(pair[1].text))):
        full = size + len(module.text) > LARGE_BYTES or len(chunk) == LARGE_MODULES
        if chunk and (full or chunk[0][0] != large):
            yield chunk
            chunk, size = [], 0
        chunk.append((large, module))
        size += len(module.text)
    if chunk:
        yield chunk


def timed(on_stage: OnStage) -> OnStage:
    """A stage's caller that also says the seconds since the start, for plain output."""
    start = time.monotonic()
    return lambda stage, done, total: on_stage(f"{time.monotonic() - start:5.0f} s  {stage}", done, total)
