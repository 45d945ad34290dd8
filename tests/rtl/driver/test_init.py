"""The folder alone, as a delivery of hardware has it: it imports NumPy and nothing of the rest."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import rtl.driver
from rtl.handover.files import driver_files
from tests.rtl.driver.packages import fashion_package

FOLDER = Path(rtl.driver.__file__).parent
MODULES = [f"rtl.driver.{module.name}" for module in pkgutil.iter_modules([str(FOLDER)])]

USE = """
import sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
import driver
package = driver.Package.load(sys.argv[2])
import numpy
ours = {name.split(".")[0] for name in set(sys.modules) - before}
print(package.subgraphs, ours & {"arch_model", "mapper", "rtl", "sim", "reports", "amaranth", "cocotb", "pandas"})
"""


def test_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "driver").mkdir()
    for name, data in driver_files().items():
        (tmp_path / name).write_bytes(data)
    fashion_package().save(tmp_path / "fashion.npz")
    command = [sys.executable, "-c", USE, str(tmp_path), str(tmp_path / "fashion.npz")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "('empty', 'front', 'next') set()\n"


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_the_text_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    assert sum(bool(test.examples) for name in MODULES for test in finder.find(importlib.import_module(name))) >= 3
