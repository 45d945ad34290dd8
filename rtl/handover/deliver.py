"""Write a delivery: every file, and a manifest by which the next one knows which files are its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from arch_model.errors import FastSwitchError
from arch_model.files.writing import make_folder, write_whole, writing

MANIFEST = "MANIFEST.sha256"


def deliver(files: Mapping[str, bytes], folder: Path, force: bool = False) -> None:
    """Write files and MANIFEST.sha256, which ``sha256sum --check`` reads.

    Files that an earlier delivery wrote, and nobody has changed since, are replaced, or removed where there is no such
    file any more; everything else in the folder is left alone.

    Parameters
    ----------
    files : bytes by path below the folder.
    folder : where they go.
    force : replace other files that are in the way.

    Raises
    ------
    FastSwitchError
        A file is in the way, before anything is written; or the folder cannot be written to.
    """
    with writing(folder):
        old = _read_manifest(folder)
        for name in sorted(files):
            path = folder / name
            if not force and _foreign(path, old.get(name), files[name]):
                raise FastSwitchError(
                    f"{path} is in the way: no delivery wrote it, or it was changed since; "
                    "remove it, give another folder, or --force to replace it"
                )
    make_folder(folder)
    for name, data in sorted(files.items()):
        make_folder((folder / name).parent)
        if (folder / name).is_symlink():  # what it points to is not ours
            (folder / name).unlink()
        write_whole(folder / name, data)
    lines = [f"{_digest(data)}  {name}\n" for name, data in sorted(files.items())]
    write_whole(folder / MANIFEST, "".join(lines))
    with writing(folder):
        for name in sorted(set(old) - set(files)):
            path = folder / name
            if path.is_file() and _digest(path.read_bytes()) == old[name]:
                path.unlink()


def _read_manifest(folder: Path) -> dict[str, str]:
    """Digest by file name; nothing where there is no manifest, or what has its name is none."""
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise FastSwitchError(f"{path} is in the way: it is no manifest of a delivery; give another folder")
        found[name] = digest
    return found


def _foreign(path: Path, digest: str | None, data: bytes) -> bool:
    """Whether what is at ``path`` is neither there nor an earlier delivery's nor what is to be written."""
    if not os.path.lexists(path):
        return False
    if path.is_symlink() or not path.is_file():
        return True
    there = path.read_bytes()
    return there != data and _digest(there) != digest


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
