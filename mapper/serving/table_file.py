"""SushiAbs on disk: a Parquet file that says what made it, written block by block so that work resumes.

One row a SubNet: ``subnet``, ``accuracy``, then the cycles for each SubGraph in a column of its name. The
file's metadata holds, under the key ``fastswitch``, a JSON object with the version, the accelerator's name and
hash, the space, the seed, the clock and each SubGraph's vector.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from arch_model.errors import FastSwitchError, MappingError
from arch_model.files.npz_file import read_npy
from arch_model.files.parquet_file import parquet_record, read_parquet
from arch_model.files.question import SCHEMA, asked, check_schema, digest, machine_facts, nets_facts
from arch_model.files.results_folder import ResultsFolder
from arch_model.files.wanted import Wanted
from arch_model.files.writing import Source, whole_file
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.physical import CLOCK_HZ
from arch_model.spaces.registry import space_facts
from mapper.cost.network_costs import NetworkCosts, cached_tiles
from mapper.serving.latency_table import BEST, NOTHING, QUICK, SushiAbs
from mapper.workload.fusion import check_runnable

KEY = b"fastswitch"
TABLE, BLOCKS = "sushiabs.parquet", "blocks/"
"""Names in the folder of ``fastswitch table``: the table, and what is finished of it until then."""

BLOCK = 100
"""SubNets that are worked on together; so many at most are lost when the work is killed."""

Ints = npt.NDArray[np.int64]
OnBlock = Callable[[int, int, int], None]
"""Called after each block with: SubNets done, SubNets in all, different steps from layer to layer timed so far."""


def _facts(accelerator: Accelerator, space: str, seed: int | None, policy: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": version("fastswitch"),
        "accelerator": accelerator.name,
        "accelerator_hash": accelerator.hash(),
        "space": space,
        "seed": seed,
        "clock_hz": accelerator.clock_hz,
        "mapping_policy": policy,
    }


def save_table(table: SushiAbs, path: Path, accelerator: Accelerator, space: str, seed: int | None = None) -> None:
    """Write a latency table as a Parquet file.

    Parameters
    ----------
    table : what to write.
    path : the file; it is there whole or not at all.
    accelerator : the machine of the table.
    space : the name of its SuperNet.
    seed : with which its SubNets and SubGraphs were drawn, if they were.

    Raises
    ------
    FastSwitchError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> table = SushiAbs.build({net.name: net for net in fashion.sample(3, seed=1)}, {}, {}, fashion, tiny)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_table(table, Path(folder) / "table.parquet", tiny, "fashion")
    ...     load_table(Path(folder) / "table.parquet", tiny, fashion).subnets == table.subnets
    True
    """
    facts = _facts(accelerator, space, seed, table.policy)
    facts["subgraphs"] = dict(zip(table.subgraphs, table.vectors.tolist(), strict=True))
    columns: dict[str, Any] = {"subnet": list(table.subnets), "accuracy": table.accuracy}
    columns |= dict(zip(table.subgraphs, table.cycles.T, strict=True))
    data = pa.table(columns).replace_schema_metadata({KEY: json.dumps(facts)})
    with whole_file(path) as file:
        pq.write_table(data, file)


def load_table(path: Path, accelerator: Accelerator, supernet: SuperNet) -> SushiAbs:
    """Read a latency table that :func:`save_table` wrote.

    Parameters
    ----------
    path : the file, or the folder that has it.
    accelerator, supernet : what the table has to be of.

    Returns
    -------
    SushiAbs

    Raises
    ------
    FastSwitchError
        The file is not there, is no such table, or is of another accelerator or SuperNet.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> load_table(Path("none.parquet"), Accelerator.load("tiny"), get_space("fashion"))
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: table none.parquet does not exist; give one that fastswitch table wrote
    """
    path = path / TABLE if path.is_dir() else path
    wanted = Wanted(f"table {path}", "one that fastswitch table wrote")
    data = read_parquet(path, wanted)
    try:
        if KEY not in (data.schema.metadata or {}):
            raise KeyError(KEY)
        facts = parquet_record(data, KEY, wanted)
        check_schema(facts, Wanted(f"table {path}", "one that fastswitch table writes now"))
        vectors: Mapping[str, Sequence[int]] = facts["subgraphs"]
        known = {name: facts[name] for name in ("accelerator", "accelerator_hash", "space", "clock_hz")}
        cycles = np.array([_numbers(data, name, "i") for name in vectors], np.int64).T
        policy = facts.get("mapping_policy", QUICK)
        accuracy, subnets = _numbers(data, "accuracy", "f"), data.column("subnet").to_pylist()
        encoded = np.array(list(vectors.values()))
        if encoded.dtype.kind != "i" or encoded.ndim != 2 or (cycles < 0).any() or known["clock_hz"] not in CLOCK_HZ:
            raise ValueError("numbers that are none")
        if policy not in (QUICK, BEST):
            raise ValueError("a policy that is none")
        if not cycles.size:
            raise ValueError("no rows")
        if len(set(subnets)) < len(subnets) or not all(isinstance(name, str) for name in subnets):
            raise ValueError("names that are none")
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
        raise FastSwitchError(f"table {path} is not one of this version; write it anew with fastswitch table") from None
    if known["space"] != supernet.name:
        raise FastSwitchError(f"table {path} is of space {known['space']}; this is {supernet.name}, give another file")
    if known["accelerator_hash"] != accelerator.hash():
        raise FastSwitchError(
            f"table {path} is of accelerator {known['accelerator']} ({known['accelerator_hash']}); "
            f"this is {accelerator.name} ({accelerator.hash()}), give another file"
        )
    names = tuple(vectors)
    return SushiAbs(tuple(subnets), names, encoded.astype(np.int64), cycles, accuracy, known["clock_hz"], policy)


def _numbers(data: Any, name: str, kind: str) -> np.ndarray[Any, Any]:
    """A column of int64 (``kind`` i) or float64 (f) without gaps."""
    column = data.column(name)
    numbers: np.ndarray[Any, Any] = column.to_numpy()
    if column.null_count or numbers.dtype.kind != kind or numbers.dtype.itemsize != 8:
        raise ValueError(name)
    return numbers


@dataclass(frozen=True)
class TableJob:
    """A table to build and save.

    Attributes
    ----------
    supernet, accelerator : of which it is.
    subnets : the rows.
    subgraphs : the columns, the empty one first.
    seed : with which SubNets or SubGraphs were drawn. None: none were.
    accuracy : fractions by SubNet, where they are known.
    block : rows that are built and kept at a time.
    searched : gives the cycles, int64 (SubNets, SubGraphs), of SubNets whose Programs are mapped by the policy
        ``best``. None: they are mapped by ``quick``.
    """

    supernet: SuperNet
    subnets: Sequence[SubNet]
    subgraphs: Mapping[str, SubGraph]
    accelerator: Accelerator
    seed: int | None = None
    accuracy: Mapping[str, float] | None = None
    block: int = BLOCK
    searched: Callable[[Sequence[SubNet]], Ints] | None = None

    @property
    def policy(self) -> str:
        """By which the Programs are mapped."""
        return QUICK if self.searched is None else BEST

    @classmethod
    def of(
        cls,
        supernet: SuperNet,
        subnets: Sequence[SubNet],
        subgraphs: Mapping[str, SubGraph],
        accelerator: Accelerator,
        seed: int | None = None,
        accuracy: Mapping[str, float] | None = None,
    ) -> TableJob:
        """The job for SubGraphs and the empty one.

        Parameters
        ----------
        supernet : of all of them.
        subnets : the rows.
        subgraphs : the columns behind the empty one.
        accelerator : that runs them.
        seed : with which SubNets or SubGraphs were drawn. None: none were.
        accuracy : fractions by SubNet, where they are known.
        """
        graphs = {NOTHING: SubGraph.empty(supernet), **subgraphs}
        return cls(supernet, subnets, graphs, accelerator, seed, accuracy)

    def run(
        self,
        folder: Path,
        on_block: OnBlock | None = None,
        *,
        force: bool = False,
        inputs: Sequence[Source] = (),
    ) -> SushiAbs:
        """Build the table in blocks, each kept in a folder; the table is there as :data:`TABLE`.

        Started anew after an end before its time, it goes on with the first block that is not there.

        Parameters
        ----------
        folder : where the blocks and the table go.
        on_block : called after each block.
        force, inputs : as :class:`~arch_model.files.results_folder.ResultsFolder` takes them.

        Raises
        ------
        MappingError
            A SubNet cannot run or is in the table twice.
        FastSwitchError
            The folder holds another table, or nothing can be written.
        """
        for subnet in self.subnets:
            check_runnable(subnet)
        names = [subnet.name for subnet in self.subnets]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise MappingError(f"SubNet {twice} is in the table twice; give each once")
        older = [f"{TABLE}.parts/"]
        with ResultsFolder(folder, self.question, [TABLE, BLOCKS], inputs, force, older) as results:
            path = folder / TABLE
            made = None
            if not path.exists():
                made = self._table(self._rows(results, on_block))
                save_table(made, path, self.accelerator, self.supernet.name, self.seed)
            shutil.rmtree(folder / BLOCKS, ignore_errors=True)
            return made if made is not None else load_table(path, self.accelerator, self.supernet)

    @property
    def question(self) -> dict[str, Any]:
        """What makes it this table and no other."""
        graphs = [[name, graph.slices] for name, graph in self.subgraphs.items()]
        accuracy = self.accuracy or {}
        return asked(
            "table",
            **machine_facts(self.accelerator),
            **space_facts(self.supernet),
            seed=self.seed,
            **nets_facts(self.subnets),
            subgraphs=len(graphs),
            subgraphs_digest=digest(graphs),
            accuracy=digest([accuracy.get(net.name) for net in self.subnets]),
            block=self.block,
            mapping_policy=self.policy,
        )

    def _rows(self, results: ResultsFolder, on_block: OnBlock | None) -> list[np.ndarray[Any, Any]]:
        """The cycles of every block."""
        tiles = cached_tiles(self.supernet, list(self.subgraphs.values()), self.accelerator)
        costs, rows = NetworkCosts(self.supernet, self.accelerator), []
        for first in range(0, len(self.subnets), self.block):
            name, chosen = f"{BLOCKS}{first:08d}.npy", self.subnets[first : first + self.block]
            file = results.path(name)
            if file.exists():
                rows.append(read_npy(file, Wanted(f"block {file}", "its folder another name, or remove it")))
            else:
                rows.append(self.searched(chosen) if self.searched else costs.cycles(chosen, tiles))
                with results.open(name) as block:
                    np.save(block, rows[-1], allow_pickle=False)
            if on_block:
                on_block(first + len(chosen), len(self.subnets), costs.different)
        return rows

    def _table(self, rows: Sequence[np.ndarray[Any, Any]]) -> SushiAbs:
        names = tuple(subnet.name for subnet in self.subnets)
        return SushiAbs(
            names,
            tuple(self.subgraphs),
            np.array([subgraph.encode() for subgraph in self.subgraphs.values()]),
            np.concatenate(rows),
            np.array([(self.accuracy or {}).get(name, np.nan) for name in names]),
            self.accelerator.clock_hz,
            self.policy,
        )
