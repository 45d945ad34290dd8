"""The file of a stream that was served: one row a query, behind the facts that made it."""

from __future__ import annotations

from collections.abc import Mapping
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, BinaryIO

from arch_model.files.csv_file import quoting
from arch_model.files.question import header
from mapper.serving.serving_table import ServingTable

if TYPE_CHECKING:
    import pandas as pd


def write_queries(file: BinaryIO, rows: pd.DataFrame, table: ServingTable, facts: Mapping[str, Any]) -> None:
    """Write rows as CSV, behind ``# key: value`` lines of facts, into an open file.

    Parameters
    ----------
    file : binary.
    rows : one a query.
    table : whose SubNets and SubGraphs the rows name.
    facts : what else the file says, by name; those of the table go before them.
    """
    names = (*table.sushi.subnets, *table.sushi.subgraphs)
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    text.write(header({**table.facts, **facts}))
    rows.to_csv(text, index=False, lineterminator="\r\n", quoting=quoting(names))
    text.detach()
