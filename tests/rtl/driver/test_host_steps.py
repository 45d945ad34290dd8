"""The driver's steps are the importer's. `python tests/rtl/driver/test_host_steps.py` writes the file anew."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE, PATH = ROOT / "mapper" / "importers" / "host_steps.py", ROOT / "rtl" / "driver" / "host_steps.py"
FIRST = '"""Operators of ONNX in NumPy, a copy of ``mapper/importers/host_steps.py`` (``tests/rtl/driver``).\n'


def module() -> str:
    """The importer's file, with a first line that says whose copy it is."""
    return FIRST + SOURCE.read_text().partition("\n")[2]


def test_the_file_is_what_the_importer_has() -> None:
    assert PATH.read_text() == module()


def test_it_needs_numpy_alone() -> None:
    lines = [line for line in PATH.read_text().splitlines() if line.lstrip().startswith(("import ", "from "))]
    rooms = {line.split()[1].partition(".")[0] for line in lines}
    assert rooms == {"__future__", "math", "collections", "dataclasses", "typing", "numpy"}


if __name__ == "__main__":
    PATH.write_text(module())
