"""A study on disk: what was asked for, in ``question.json``, and the points found so far, in Parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from arch_model.files.csv_file import quoting
from arch_model.files.json_file import read_json
from arch_model.files.parquet_file import read_parquet, to_frame
from arch_model.files.question import asked, check_schema, header, machine_facts
from arch_model.files.results_folder import QUESTION, ResultsFolder
from arch_model.files.wanted import Wanted
from arch_model.files.writing import Source, make_folder, whole_file
from arch_model.machine.accelerator import Accelerator
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces import get_space
from arch_model.spaces.registry import ships
from mapper.search.predict import COLUMNS
from sim.explore.knobs import SUBNET, ExploreError, Knob, set_knobs
from sim.explore.layers import layer_rows
from sim.explore.question import ESTIMATE, ESTIMATED, EXACT
from sim.explore.refine import EstimateError, estimate_errors

MAPPING = "quick"
"""The policy by which exact prices are mapped (:class:`mapper.search.policy.Policy`)."""

SQLITE, PARTS, POINTS, CSV = "study.sqlite", "points", "points.parquet", "points.csv"
REPORT = ("report.html", "pareto.csv", "pareto.png", "knobs.png", "base.yaml", "subnets.json")
"""What the report adds to the folder (:func:`reports.explore.write_report`)."""

FILES = (SQLITE, f"{PARTS}/", POINTS, CSV, *REPORT)


@dataclass(frozen=True)
class Study:
    """An exploration: what was varied, and what each point costs.

    Attributes
    ----------
    folder : where it is on disk.
    supernet : it has these SubNets at least. ``subnets``: their names; ``nets``: the SubNets.
    base : the Accelerator whose numbers the knobs replace.
    knobs : what is varied.
    objectives : names of columns of ``points``.
    sampler, seed : how points were chosen.
    points : a row for each point: a column for each knob (base units), ``legal``, ``why`` ("" if legal), then each
        objective in SI units (latency s, energy J, area mm2, accuracy %), not a number where a point is not legal; then
        ``price``: ``exact`` (whole Programs, to the cycle), ``estimate``, or empty where a point is not legal; then the
        estimates that it was screened by, as ``estimated_latency`` and ``estimated_energy``.
    cached : what the PB holds (:data:`sim.explore.layers.CACHED`).
    accuracy : of each SubNet, in per cent, if it is an objective.
    subnets, nets : names of the SubNets, and these.
    """

    folder: Path
    supernet: SuperNet
    subnets: tuple[str, ...]
    base: Accelerator
    knobs: tuple[Knob, ...]
    objectives: tuple[str, ...]
    sampler: str
    seed: int
    points: pd.DataFrame
    nets: tuple[SubNet, ...] = ()
    cached: str = "fit"
    accuracy: tuple[float, ...] = ()

    @property
    def space(self) -> str:
        """The SuperNet's name."""
        return self.supernet.name

    def accelerator(self, point: int) -> Accelerator:
        """The machine of a point: the base with its knobs set.

        Raises :class:`ExploreError` for a point that is not there and :class:`arch_model.errors.AcceleratorError` for
        one that no machine is.
        """
        return set_knobs(self.base, self.values(point), f"{self.base.name}-{point}")

    def values(self, point: int) -> dict[str, int | float]:
        """The knobs of a point, in base units.

        Raises
        ------
        ExploreError
            There is no such point.
        """
        if point not in self.points.index:
            last = int(self.points.index.max()) if len(self.points) else -1
            raise ExploreError(f"study {self.folder} has no point {point}; give one of 0 to {last}")
        row = self.points.loc[point]
        return {knob.name: row[knob.name].item() for knob in self.knobs}

    def layers(self, point: int, subnet: str | None = None) -> pd.DataFrame:
        """The layer table of a point: the columns of ``fastswitch predict``.

        Layers are tiled as the point was priced, and each is a Program of its own. In the SubNet's Program layers
        overlap, so the point's latency is below the sum of ``latency_s``.

        Parameters
        ----------
        point : its number.
        subnet : a name. None: all SubNets.

        Raises
        ------
        ExploreError
            There is no such point, or it runs no such SubNet.
        """
        values, machine = self.values(point), self.accelerator(point)
        names = self.subnets if SUBNET not in values else (self.subnets[int(values[SUBNET])],)
        if subnet is not None and subnet not in names:
            raise ExploreError(f"point {point} of study {self.folder} runs no SubNet {subnet}; it has {names[0]}, ...")
        rows: list[dict[str, Any]] = []
        for name in names if subnet is None else (subnet,):
            net = self.nets[self.subnets.index(name)]
            rows += layer_rows(net, self.supernet, machine, self.cached)
        return pd.DataFrame(rows, columns=list(COLUMNS))

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What makes it this study and no other, as JSON knows it."""
        return {
            "space": self.space,
            **({} if ships(self.supernet) else {"layers": [asdict(layer) for layer in self.supernet.layers]}),
            "subnets": [_entry(net, ships(self.supernet)) for net in self.nets],
            "base": self.base.model_dump(mode="json"),
            "knobs": [{"name": knob.name, "values": list(knob.values), "unit": knob.unit} for knob in self.knobs],
            "objectives": list(self.objectives),
            "sampler": self.sampler,
            "seed": self.seed,
            "cached": self.cached,
            "accuracy": list(self.accuracy),
        }

    @cached_property
    def question(self) -> dict[str, Any]:
        """The question of its folder: the facts, and whose search it is."""
        searcher = {} if self.sampler in ("grid", "random") else {"optuna": version("optuna")}
        return asked("explore", **self.facts, **searcher)

    @property
    def header(self) -> dict[str, Any]:
        """What its tables say of themselves."""
        facts = {key: value for key, value in self.question.items() if key != "base"}
        facts["mapping_policy"] = MAPPING
        errors = {f"estimated_{name}": str(error) for name, error in self.errors.items()}
        return facts | machine_facts(self.base) | errors

    @cached_property
    def errors(self) -> dict[str, EstimateError]:
        """How far the estimates of latency and energy are from the exact prices that there are."""
        return estimate_errors(self.points)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], folder: Path) -> Study:
        """The study that has these :attr:`facts`, without points.

        Parameters
        ----------
        facts : as :attr:`facts` gives them.
        folder : where it is on disk.
        """
        if "layers" in facts:  # one's own, whose functions need not be there
            nets = tuple(_listed(facts["space"], entry) for entry in facts["subnets"])
            space = fixed_supernet(nets, _layers(facts["layers"]), facts["space"])
        else:
            space = get_space(facts["space"])
            nets = tuple(replace(space.build(**entry["config"]), name=entry["name"]) for entry in facts["subnets"])
        knobs = tuple(Knob(knob["name"], tuple(knob["values"]), knob["unit"]) for knob in facts["knobs"])
        return cls(
            folder,
            space,
            tuple(net.name for net in nets),
            Accelerator.model_validate(facts["base"]),
            knobs,
            tuple(facts["objectives"]),
            facts["sampler"],
            facts["seed"],
            pd.DataFrame(columns=[knob.name for knob in knobs]),
            nets,
            facts["cached"],
            tuple(facts["accuracy"]),
        )


def _entry(net: SubNet, built: bool) -> dict[str, Any]:
    """A SubNet as JSON: what it is ``built`` from, by a SuperNet that ships, or its layers themselves."""
    entry = {"name": net.name, "config": {key: list(v) if isinstance(v, tuple) else v for key, v in net.config}}
    return entry if built else {**entry, "layers": [asdict(layer) for layer in net.layers]}


def _listed(space: str, entry: Mapping[str, Any]) -> SubNet:
    config = tuple((key, tuple(v) if isinstance(v, list) else v) for key, v in entry["config"].items())
    return SubNet(entry["name"], space, _layers(entry["layers"]), config)


def _layers(entries: Iterable[Mapping[str, Any]]) -> tuple[Layer, ...]:
    return tuple(Layer(**{**entry, "inputs": tuple(entry["inputs"])}) for entry in entries)


def study_folder(study: Study, inputs: Iterable[Source] = (), force: bool = False) -> ResultsFolder:
    """The folder of a study, to write into.

    Parameters
    ----------
    study : whose folder it is.
    inputs, force : as :class:`ResultsFolder` takes them.
    """
    return ResultsFolder(study.folder, study.question, FILES, inputs, force)


def load_study(folder: str | Path) -> Study:
    """Read the study in a folder, with the points that are there by now.

    Parameters
    ----------
    folder : what ``explore`` was given as ``out``; it may still be working.

    Returns
    -------
    Study

    Raises
    ------
    ExploreError
        The folder has no study, or one of another version.

    Examples
    --------
    >>> study = load_study("explored")  # doctest: +SKIP
    >>> best = study.accelerator(int(study.points["latency"].idxmin()))  # doctest: +SKIP
    """
    folder = Path(folder)
    wanted = Wanted(f"study {folder}", "a folder that this version of fastswitch explore wrote", ExploreError)
    if not (folder / QUESTION).exists():
        if (folder / SQLITE).exists():  # fastswitch 0.1.0 kept there what was asked
            check_schema({}, wanted)
        raise wanted.cannot("does not exist")
    try:
        facts = read_json(folder / QUESTION, wanted)["question"]
        if facts["command"] != "explore":
            raise ValueError
        check_schema(facts, wanted)
        study = Study.of_facts(facts, folder)
    except (KeyError, TypeError, ValueError):
        raise wanted.cannot(f"holds something else, {QUESTION} says") from None
    return replace(study, points=read_points(folder))


def read_points(folder: Path) -> pd.DataFrame:
    """All points of a folder in order, one row each, without any that is there twice."""
    whole = folder / POINTS
    files = [*([whole] if whole.exists() else []), *sorted((folder / PARTS).glob("[!.]*.parquet"))]
    tables = []
    for file in files:
        wanted = Wanted(f"points in {file}", "another --out, or remove it to price them anew", ExploreError)
        tables.append(_plain(read_parquet(file, wanted)))
    if not tables:
        return pd.DataFrame()
    frame: pd.DataFrame = to_frame(pa.concat_tables(tables, promote_options="permissive"))
    estimated = frame["price"] != EXACT
    frame = frame.assign(estimated=estimated).sort_values(["point", "estimated"], kind="stable")
    return frame.drop(columns="estimated").drop_duplicates("point", keep="first").set_index("point")


def exact_rows(points: pd.DataFrame) -> pd.DataFrame:
    """The points of a study that are priced exactly."""
    return points[points["price"] == EXACT] if len(points) else points


def screened_rows(points: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """A study's points as they were before any was priced exactly: a search is answered with these.

    Without those that only their exact price showed not to be legal.

    Parameters
    ----------
    points : of the study.
    objectives : names of columns.
    """
    if not len(points):
        return points
    exact = points["price"] == EXACT
    found = points[points["legal"] | ~exact].copy()
    for name in ESTIMATED:
        if name in objectives:
            found[name] = found[f"estimated_{name}"]
    found["price"] = np.where(found["legal"], ESTIMATE, "")
    return found


def _plain(table: Any) -> Any:
    """The table with its texts as texts, not as places in a dictionary."""
    fields = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in table.schema]
    return table.cast(pa.schema(fields, metadata=table.schema.metadata))


def write_parquet(frame: pd.DataFrame, path: Path, facts: Mapping[str, Any] | None = None) -> None:
    """Write a table of points: it is there whole, or not at all.

    Parameters
    ----------
    frame : the table.
    path : the file; what was there before stays until the new one is whole.
    facts : what the file says of itself.

    Raises
    ------
    FastSwitchError
        It cannot be written.
    """
    table = pa.Table.from_pandas(frame.reset_index(), preserve_index=False)
    if facts:
        table = table.replace_schema_metadata({b"fastswitch": json.dumps(facts).encode()})
    make_folder(path.parent)
    with whole_file(path) as file:
        pq.write_table(table, file)


def write_csv(frame: pd.DataFrame, path: Path, facts: Mapping[str, Any]) -> None:
    """Write a table as CSV, behind lines ``# key: value``; whole or not at all, as :func:`write_parquet`.

    Parameters
    ----------
    frame : the table.
    path : the file.
    facts : what the file says of itself.
    """
    make_folder(path.parent)
    with whole_file(path) as file:
        file.write(header(facts).encode())
        texts = (text for column in frame.select_dtypes(exclude="number") for text in frame[column])
        frame.to_csv(file, mode="wb", encoding="utf-8", quoting=quoting(texts))
