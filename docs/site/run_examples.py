"""Run the commands that docs/how-to/examples.md shows, and put what they print below them: `make examples`.

    python docs/site/run_examples.py [NAME ...]

With names, such as explore_pb, only those.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "examples.md"
SHOWN = re.compile(
    r"```sh\n(?P<command>python examples/[^\n]*)\n```\n\n<!-- output -->\n(?P<output>.*?)<!-- /output -->", re.DOTALL
)
"""A command of the page and what it printed."""


def printed(command: str, folder: Path) -> str:
    """What a command of the page prints, run in ``folder``; its pictures go to docs/how-to/examples."""
    words = shlex.split(command)
    words[:2] = [sys.executable, str(ROOT / words[1])]
    words = [str(ROOT / word) if word.startswith("docs/") else word for word in words]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, check=True)
    return done.stdout.replace(f"{ROOT}/", "")


def main(names: list[str]) -> None:
    """Write the page anew."""
    with tempfile.TemporaryDirectory() as folder:

        def fresh(shown: re.Match[str]) -> str:
            if names and not any(f"examples/{name}.py" in shown["command"] for name in names):
                return shown[0]
            print(shown["command"], flush=True)
            output = printed(shown["command"], Path(folder)).strip("\n")
            head = shown[0][: shown.start("output") - shown.start()]
            return f"{head}\n```text\n{output}\n```\n\n<!-- /output -->"

        PAGE.write_text(SHOWN.sub(fresh, PAGE.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])
