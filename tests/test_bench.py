"""The scripts in bench/: each is found where the pages say, and starts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = [path for path in sorted((ROOT / "bench").glob("*.py")) if "__main__" in path.read_text()]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_starts(script):
    """Its folder comes before all packages on the path: a script named coverage.py was once what numba took for it."""
    if "import torch" in script.read_text():
        pytest.importorskip("torch")
    shown = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0 and "usage: " in shown.stdout.lower(), shown.stderr


def test_pages_name_scripts_that_are_there():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md"), *SCRIPTS]
    named = {name for page in pages for name in re.findall(r"(?<!rtl_)bench/\w+\.py", page.read_text())}
    assert len(named) > 10 and not [name for name in sorted(named) if not (ROOT / name).is_file()]
