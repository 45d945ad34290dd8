"""An exploration from start to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from arch_model.accelerator import Accelerator
from arch_model.spaces import get_space
from arch_model.supernet import SubNet
from sim.explore.knobs import parse_vary
from sim.explore.price import price
from sim.explore.question import Question
from sim.explore.study import PARTS, POINTS, Study, load_study, write_facts, write_parquet


def explore(
    space: str,
    subnets: Sequence[SubNet],
    vary: str,
    objectives: Sequence[str] = ("latency", "energy", "area"),
    out: str | Path = "explored",
    accelerator: str | Accelerator = "zcu104",
) -> pd.DataFrame:
    """Price every point; the table of points."""
    base = accelerator if isinstance(accelerator, Accelerator) else Accelerator.load(accelerator)
    folder = Path(out)
    question = Question(get_space(space).name, tuple(subnets), base, parse_vary(vary), tuple(objectives))
    folder.mkdir(parents=True, exist_ok=True)
    names = tuple(net.name for net in subnets)
    study = Study(
        folder, space, names, base, question.knobs, question.objectives, "grid", 0, pd.DataFrame(), question.nets
    )
    write_facts(folder, study.facts)
    frame = price(question, list(range(question.size)), list(range(question.size)))
    write_parquet(frame, folder / PARTS / "00000000.parquet")
    write_parquet(frame, folder / POINTS)
    return replace(load_study(folder)).points
