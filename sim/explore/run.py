"""An exploration from start to end: the folder, the points that are left, the workers, the tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model.machine.accelerator import Accelerator
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.supernet import SuperNet
from arch_model.spaces import choose_subnets
from arch_model.spaces.chosen import Asked
from mapper.importers.network import Network
from mapper.importers.spaces import Source, load_supernet
from mapper.workload.fusion import check_runnable, is_runnable
from sim.explore.backends import Backend, open_backend
from sim.explore.knobs import SUBNET, ExploreError, Knob, parse_vary
from sim.explore.layers import CACHED
from sim.explore.pareto import costs
from sim.explore.question import OBJECTIVES, Question
from sim.explore.refine import refine
from sim.explore.samplers import OPTUNA, SAMPLERS, Answer, Search, random_cells, require_optuna
from sim.explore.study import (
    CSV,
    PARTS,
    POINTS,
    Study,
    exact_rows,
    read_points,
    screened_rows,
    study_folder,
    write_csv,
    write_parquet,
)

Ints = npt.NDArray[np.int64]
OnCount = Callable[[str, int, int], None]
"""Called with a stage, how many points are done and how many there will be."""

Task = tuple[Question, list[int], list[int], bool]

SCREENING, PRICING = "screening points", "exact prices"
"""Stages of the work, as ``on_count`` is told them."""

TASK, EXACT_TASK = 512, 16
"""Points of a task at most, of estimates and of exact prices: what a worker that dies loses, some seconds of work."""

MOST_POINTS = 20_000_000


def explore(
    supernet: Source | Sequence[Network | str | Path],
    subnets: Asked | Network,
    vary: str,
    objectives: Sequence[str] = ("latency", "energy", "area"),
    out: str | Path = "explored",
    accelerator: str | Path | Accelerator = "zcu104",
    sampler: str = "grid",
    points: int | None = None,
    seed: int = 0,
    backend: str = "joblib",
    cached: str = "fit",
    on_count: OnCount = lambda stage, done, total: None,
    force: bool = False,
    accuracy: Mapping[str, float] | None = None,
    exact: bool = False,
) -> pd.DataFrame:
    """Price machines: every combination of the knobs' values, or those that a sampler takes.

    All points are screened by an estimate of latency and energy. Then every point that can be on the front is priced
    exactly: each of its SubNets as one Program, whose layers overlap, as ``compile``, ``predict`` and ``table`` have it
    (:mod:`sim.explore.refine`).

    Parameters
    ----------
    supernet : the SuperNet; or its name, a file that makes it, ONNX models or imported networks. One of your own works
        with every backend, whatever its functions are: SubNets are chosen here, and what goes to workers is data.
    subnets : what every machine runs: SubNets, names, a JSON file, how many to draw with ``seed``, or an imported
        network.
    vary : knobs, such as ``"KP=8,16,32 PB=0:8MB:0.5MB DRAM=2.4,9.6GB/s"``.
    objectives : of :data:`sim.explore.question.OBJECTIVES`. With accuracy each SubNet is a point of its own: the knob
        SUBNET is its index.
    out : the folder. A study that is there already goes on, if it is this one; another is refused, or with ``force``
        replaced.
    accelerator : the machine whose other numbers stay: a preset, a file, or the machine.
    sampler : of :data:`sim.explore.samplers.SAMPLERS`; ``points``: how many, except of a grid.
    points : how many the sampler takes, except of a grid. None: all.
    seed : of samplers and of SubNets that are drawn.
    backend : ``joblib[:N]``, ``ray[:ADDRESS]`` or ``dask[:ADDRESS]``.
    cached : what the PB holds: ``fit``, as :func:`mapper.pinning.greedy.fit_subgraph` fills it for each SubNet, or
        ``none``.
    on_count : called with a stage of the work, how many points are done and how many there will be.
    force : replace a folder with another study.
    accuracy : top-1 of SubNets by name, a fraction, where it is not known otherwise.
    exact : price every point exactly; so are few points anyway.

    Returns
    -------
    DataFrame
        A row a point, as :class:`sim.explore.study.Study` says: the knobs in base units, ``legal``, ``why`` not, the
        objectives in SI units (seconds, joules, mm2, accuracy in per cent), whether they are ``exact`` or an
        ``estimate``, and the estimates.

    Raises
    ------
    FastSwitchError
        For what a user got wrong and for a disk that takes no more. Points that are on disk stay there whatever
        happens, and are not priced again.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = explore("fashion", "fashion-d111-w222", "KP=2,4 CP=3,100", out=folder, accelerator="tiny",
    ...                     backend="joblib:1")
    >>> found["legal"].tolist()
    [True, False, True, False]
    """
    study, question = _asked(
        load_supernet(supernet),
        subnets.subnet.name if isinstance(subnets, Network) else subnets,
        vary,
        objectives,
        out,
        accelerator,
        sampler,
        points,
        seed,
        cached,
        accuracy or {},
    )
    inputs = [given for given in (subnets, accelerator) if isinstance(given, str | Path)]
    with study_folder(study, inputs, force):
        run = _Run(study, question, on_count)
        with open_backend(backend) as workers:
            run.screen(workers, points)
            run.refine(workers, exact)
        return run.finish()


def _asked(
    space: SuperNet,
    subnets: Asked,
    vary: str,
    objectives: Sequence[str],
    out: str | Path,
    accelerator: str | Path | Accelerator,
    sampler: str,
    points: int | None,
    seed: int,
    cached: str,
    told: Mapping[str, float],
) -> tuple[Study, Question]:
    """What is asked for, checked before anything is done."""
    for what, value, legal in (("sampler", sampler, SAMPLERS), ("cached", cached, CACHED)):
        if value not in legal:
            raise ExploreError(f"{what} is {value}; give one of {', '.join(legal)}")
    if not objectives:
        raise ExploreError(f"there are no objectives; give some of {', '.join(OBJECTIVES)}")
    for name in objectives:
        if name not in OBJECTIVES:
            raise ExploreError(f"objective {name} does not exist; give some of {', '.join(OBJECTIVES)}")
        if list(objectives).count(name) > 1:
            raise ExploreError(f"objective {name} is given twice; give each once")
    if sampler == "grid" and points is not None:
        raise ExploreError(f"points is {points}; a grid has all of them, so give no points or another sampler")
    if sampler != "grid" and (points is None or points < 1):
        given = "not given" if points is None else points
        raise ExploreError(f"points is {given}; the sampler {sampler} needs to know how many, 1 or more")
    if sampler in OPTUNA:
        require_optuna()
    if seed < 0:
        raise ExploreError(f"seed is {seed}; give at least 0")
    knobs = parse_vary(vary)
    base = accelerator if isinstance(accelerator, Accelerator) else Accelerator.load(accelerator)
    chosen = choose_subnets(subnets, space, seed, accept=is_runnable)
    nets, known = chosen.subnets, {**chosen.accuracy, **told}
    accuracy: tuple[float, ...] = ()
    if "accuracy" in objectives:
        for net in nets:
            if net.name not in known:
                raise ExploreError(
                    f"the accuracy of SubNet {net.name} is not known; give --subnets FILE.json with top1 of each"
                )
        accuracy = tuple(round(100 * known[net.name], 10) for net in nets)
        knobs = (*knobs, Knob(SUBNET, tuple(range(len(nets))), ""))
    listed = fixed_supernet(nets, space.layers)
    question = Question(listed, nets, base, knobs, tuple(objectives), cached, accuracy)
    most = question.size if points is None else min(points, question.size)
    if most > MOST_POINTS or question.size >= 1 << 62:
        raise ExploreError(f"the grid has {question.size:,} points; give fewer values, or a sampler and --points")
    for net in nets:
        check_runnable(net)
    names = tuple(net.name for net in nets)
    study = Study(
        Path(out), space, names, base, knobs, tuple(objectives), sampler, seed, pd.DataFrame(), nets, cached, accuracy
    )
    return study, question


def work(task: Task) -> pd.DataFrame:
    """Price the points of a task, in a worker's process."""
    from sim.explore.price import price

    return price(*task)


class _Run:
    """What is on disk, what is left, what is said of it."""

    def __init__(self, study: Study, question: Question, on_count: OnCount) -> None:
        self.study, self.question, self.on_count = study, question, on_count
        there = read_points(study.folder)
        self.done, self.exact = screened_rows(there, study.objectives), exact_rows(there)
        self.total, self.warm = question.size, False

    def screen(self, backend: Backend, points: int | None) -> None:
        """Estimate all points that are not there."""
        sampler, size = self.study.sampler, self.question.size
        if sampler in OPTUNA:
            self._search(backend, int(points or 0))
            return
        cells = np.arange(size, dtype=np.int64) if points is None else random_cells(size, points, self.study.seed)
        self.total = len(cells)
        left = np.setdiff1d(np.arange(len(cells)), self.done.index.to_numpy(np.int64))
        self._screen(backend, left, cells[left])

    def refine(self, backend: Backend, exact: bool) -> None:
        """Price exactly all points that can be on the front."""
        knobs = self.question.knobs
        places = [{value: place for place, value in enumerate(knob.values)} for knob in knobs]

        def price(numbers: Ints, total: int) -> pd.DataFrame:
            left = np.setdiff1d(numbers, self.exact.index.to_numpy(np.int64))
            rows = self.done.loc[left, [knob.name for knob in knobs]].itertuples(index=False)
            cells = [self.question.cell([at[value] for at, value in zip(places, row, strict=True)]) for row in rows]
            self.exact = self._work(backend, left, np.array(cells, np.int64), self.exact, total, exact=True)
            return self.exact.loc[numbers]

        if len(self.done):
            programs = 1 if self.question.accuracy else len(self.question.nets)
            refine(self.done, self.question.objectives, price, programs, exact)

    def _screen(self, backend: Backend, points: Ints, cells: Ints) -> None:
        self.done = self._work(backend, points, cells, self.done, self.total, exact=False)

    def _work(
        self, backend: Backend, points: Ints, cells: Ints, rows: pd.DataFrame, total: int, exact: bool
    ) -> pd.DataFrame:
        """``rows`` and those of points that are priced now; each task's are written as soon as they are there."""
        stage, done = PRICING if exact else SCREENING, total - len(points) if exact else len(rows)
        self.on_count(stage, done, total)
        if not len(points):
            return rows
        if backend.workers > 1 and not self.warm:
            from sim.explore.price import warm

            warm(self.question)
            self.warm = True
        frames = [rows] if len(rows) else []
        for frame in backend.map(work, self._tasks(points, cells, backend.workers, exact)):
            write_parquet(frame, self.study.folder / PARTS / _part_name(frame, exact))
            frames.append(frame)
            done += len(frame)
            self.on_count(stage, done, total)
        return pd.concat(frames).sort_index()

    def _tasks(self, points: Ints, cells: Ints, workers: int, exact: bool) -> Iterator[Task]:
        """Points in tasks, those side by side whose layers cost the same: the machine's core changes slowest."""
        core = [knob.name in _CORE for knob in self.question.knobs]
        places = self.question.places(cells)
        keys = places[:, [i for i, is_core in enumerate(core) if is_core]]
        order = np.lexsort((cells, *keys.T[::-1]))
        size = max(1, min(EXACT_TASK if exact else TASK, -(-len(points) // (16 * workers))))
        starts = [0]
        changes = np.flatnonzero((keys[order][1:] != keys[order][:-1]).any(axis=1)) + 1
        while starts[-1] + size < len(points):
            # A task ends where the core changes, if it does so in the task's second half.
            end = starts[-1] + size
            last = int(changes[changes <= end].max(initial=0))
            starts.append(last if last > starts[-1] + size // 2 else end)
        for first, past in zip(starts, [*starts[1:], len(points)], strict=True):
            at = order[first:past]
            yield self.question, points[at].tolist(), cells[at].tolist(), exact

    def _search(self, backend: Backend, count: int) -> None:
        """Ask an Optuna sampler, batch by batch."""
        search = Search(self.question, self.study.sampler, self.study.seed)
        self.total = min(count, self.question.size)
        points: dict[int, int] = {}
        priced = len(self.done)

        def answer(cells: list[int]) -> Mapping[int, Answer]:
            points.update({cell: len(points) + i for i, cell in enumerate(cells)})
            numbers = [points[cell] for cell in cells]
            left = np.array([n for n in numbers if n not in self.done.index], np.int64)
            place = {points[cell]: cell for cell in cells}
            if len(left):
                self._screen(backend, left, np.array([place[n] for n in left.tolist()], np.int64))
            rows = self.done.loc[numbers]
            self._check(cells, rows)
            values = costs(rows, self.question.objectives).tolist()
            legal = rows["legal"].tolist()
            return {cell: value if ok else None for cell, value, ok in zip(cells, values, legal, strict=True)}

        self.on_count(SCREENING, priced, self.total)
        for _ in search.batches(count, answer):
            pass
        search.keep(self.study.folder, lambda done, total: self.on_count("keeping trials", done, total))

    def _check(self, cells: list[int], rows: pd.DataFrame) -> None:
        names = [knob.name for knob in self.question.knobs]
        for cell, row in zip(cells, rows[names].itertuples(index=False), strict=True):
            if list(self.question.values(cell).values()) != list(row):
                raise ExploreError(f"folder {self.study.folder} holds points that its sampler did not ask for")

    def finish(self) -> pd.DataFrame:
        """Put all points into one table, as Parquet and CSV, and drop the parts."""
        folder = self.study.folder
        whole, parts = folder / POINTS, folder / PARTS
        rows = self.done.copy()
        if len(self.exact):
            rows.loc[self.exact.index] = self.exact
        study = replace(self.study, points=rows)
        if any(parts.glob("*.parquet")) or not whole.exists() or not (folder / CSV).exists():
            write_csv(rows, folder / CSV, study.header)
            write_parquet(rows, whole, study.header)
            shutil.rmtree(parts, ignore_errors=True)
        return study.points


_CORE = ("KP", "CP", "DRAM", "CLOCK", "LATENCY", "INTERVAL", "BITS", "STRIPES", "WSTRIPES", "PIXELS")
"""Knobs that change what a layer costs however it is cut."""


def _part_name(frame: pd.DataFrame, exact: bool) -> str:
    digest = sha256(np.sort(frame.index.to_numpy(np.int64)).tobytes()).hexdigest()[:12]
    return f"{'exact-' if exact else ''}{int(frame.index.min()):09d}-{digest}.parquet"
