"""The processes of a session, to see that none is left."""

from __future__ import annotations

from pathlib import Path


def alive(session: int) -> list[str]:
    """Processes of a session that are not dead."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(folder.name)
    return found
