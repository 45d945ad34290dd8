"""A file of queries: facts before a table, the table's first, and names that CSV needs in quotes."""

from io import BytesIO

import pandas as pd

from arch_model.machine.accelerator import Accelerator
from sim.serving.query_file import write_queries
from sim.serving.tables import load_table


def test_facts_stand_before_the_rows() -> None:
    table, file = load_table(Accelerator.load("tiny"), candidates=2, subnets=["fashion-d111-w222"]), BytesIO()
    write_queries(file, pd.DataFrame({"subnet": ["fashion-d111-w222"], "cycles": [7]}), table, {"seed": 3})
    *facts, head, row, end = file.getvalue().decode().replace("\r\n", "\n").split("\n")
    assert all(line.startswith("# ") for line in facts) and facts[-1] == "# seed: 3"
    assert (head, row, end) == ("subnet,cycles", "fashion-d111-w222,7", "") and not file.closed
