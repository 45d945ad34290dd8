"""Parquet tables; the file's own counts are checked before its columns are unpacked.

All work is done by the thread that asks for it. A thread of Arrow's that still holds a Python object (the file, an
array) when the interpreter ends has to ask for its lock to let go of it; Python up to 3.13 ends the thread there, and
C++ then aborts the process: "terminate called without an active exception", after a command that did all it should. So
nothing is read ahead (``pre_buffer``, which is Arrow's default) and nothing is converted in parallel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from arch_model.files.json_file import parse_json
from arch_model.files.text import opened
from arch_model.files.wanted import Wanted, one_line

BYTES = 2**30
"""Of a file."""
CELLS = 2**26
"""Rows times columns; of numbers, 512 MiB."""
TEXT_BYTES = 2**28
"""Of all texts."""


def read_parquet(path: str | Path, wanted: Wanted) -> Any:
    """A Parquet file as a ``pyarrow.Table``.

    Parameters
    ----------
    path : path of the file
    wanted : what the errors say

    Returns
    -------
    pyarrow.Table
        Its texts may be dictionary columns; ``to_pylist`` and :func:`to_frame` give texts.

    Raises
    ------
    FastSwitchError
        As ``wanted`` says: for a file that is no Parquet, is cut off or damaged, has a column twice, more than
        :data:`CELLS` or texts of more than :data:`TEXT_BYTES` bytes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with opened(path, wanted, BYTES) as file, _damage(wanted):
        reader = pq.ParquetFile(file, pre_buffer=False)
        rows, names = reader.metadata.num_rows, reader.schema_arrow.names
        if len(set(names)) < len(names):
            raise wanted.wrong("a column is there twice")
        if rows < 0 or rows * len(names) > CELLS:
            raise wanted.cannot(f"has {rows} rows of {len(names)} columns, more than {CELLS} cells")
        groups = [reader.metadata.row_group(number) for number in range(reader.num_row_groups)]
        if sum(group.num_rows for group in groups) != rows:
            raise wanted.cannot("is damaged (its row groups have other rows than it claims)")
        for field in reader.schema_arrow:
            if pa.types.is_nested(field.type):
                raise wanted.wrong("a column has lists or records in its cells")
        texts = [field.name for field in reader.schema_arrow if _is_text(field.type)]
        data = pq.ParquetFile(file, read_dictionary=texts, pre_buffer=False).read(use_threads=False)
        data.validate(full=True)
        _check_texts(data, wanted)
        return data


def to_frame(data: Any) -> Any:
    """A ``pyarrow.Table`` as a ``pandas.DataFrame``."""
    return data.to_pandas(use_threads=False)


def parquet_record(data: Any, key: bytes, wanted: Wanted) -> Any:
    """The JSON that a table's metadata holds under a key.

    Parameters
    ----------
    data : the table, of pyarrow.
    key : of the metadata.
    wanted : what the file is called in an error, and what would be right.

    Raises
    ------
    FastSwitchError
        There is none, or it is not JSON.
    """
    text = (data.schema.metadata or {}).get(key)
    if text is None:
        raise wanted.wrong(f"it does not say what made it ({key.decode()})")
    return parse_json(text, wanted)


@contextmanager
def _damage(wanted: Wanted) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError) as error:
        raise wanted.cannot(f"cannot be read ({one_line(error)})") from None


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind))


def _check_texts(data: Any, wanted: Wanted) -> None:
    """A dictionary repeats a text at no cost; whoever takes it out of the dictionary pays for each."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bytes_of = 0
    for column in data.columns:
        for chunk in column.chunks:
            if pa.types.is_dictionary(chunk.type) and len(chunk.dictionary):
                longest = pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0
                bytes_of += longest * len(chunk)
    if bytes_of > TEXT_BYTES:
        raise wanted.cannot(f"has texts of {bytes_of} bytes, more than {TEXT_BYTES}")
