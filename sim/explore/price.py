"""What points cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from arch_model.area import asic_area
from arch_model.errors import FastSwitchError
from arch_model.resources import fpga_resources
from arch_model.spaces import get_space
from sim.explore.knobs import SUBNET, set_knobs
from sim.explore.layers import layer_rows
from sim.explore.question import Question


def price(question: Question, points: list[int], cells: list[int]) -> pd.DataFrame:
    """Rows of these points: knobs, legal, why, objectives; the index is ``point``."""
    rows = []
    for cell in cells:
        values = question.values(cell)
        row: dict[str, Any] = {**values, "legal": True, "why": ""}
        nets = question.nets if SUBNET not in values else (question.nets[int(values[SUBNET])],)
        found = dict.fromkeys(question.objectives, np.nan)
        try:
            machine = set_knobs(question.base, values)
            tables = [
                pd.DataFrame(layer_rows(net, get_space(question.space), machine, question.cached)) for net in nets
            ]
            known: dict[str, Any] = {
                "latency": np.mean([table["latency_s"].sum() for table in tables]),
                "energy": np.mean([table["energy_j"].sum() for table in tables]),
                "area": asic_area(machine).total_mm2,
            }
            total = fpga_resources(machine).total
            known |= {"dsp": total.dsps, "bram": total.bram36, "lut": total.luts}
            found = {name: float(known[name]) for name in question.objectives}
        except FastSwitchError as error:
            row |= {"legal": False, "why": str(error)}
        rows.append(row | found)
    return pd.DataFrame(rows, index=pd.Index(points, name="point"))
