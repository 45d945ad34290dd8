"""Write a delivery: every file, and a manifest by which the next one knows which files are its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from arch_model.errors import FastSwitchError, why_read_only

MANIFEST = "MANIFEST.sha256"


def deliver(files: Mapping[str, bytes], folder: Path) -> None:
    """Write ``files`` (by path below ``folder``) and MANIFEST.sha256, which ``sha256sum --check`` reads.

    Files that an earlier delivery wrote, and nobody has changed since, are replaced, or removed where there is no such
    file any more; others that are in the way are an error, and everything else in the folder is left alone. Raises
    :class:`~arch_model.errors.FastSwitchError`, before anything is written, for a file in the way; also for a folder
    that cannot be written to.
    """
    try:
        old = _read_manifest(folder)
        for name in sorted({*files, *old}):
            path = folder / name
            if name in files and _foreign(path, old.get(name), files[name]):
                raise FastSwitchError(
                    f"{path} is in the way: no delivery wrote it, or it was changed since; "
                    "remove it or give another folder"
                )
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in sorted(files.items()):
            _write(folder / name, data)
        lines = [f"{_digest(data)}  {name}\n" for name, data in sorted(files.items())]
        _write(folder / MANIFEST, "".join(lines).encode())
        for name in sorted(set(old) - set(files)):
            path = folder / name
            if path.is_file() and _digest(path.read_bytes()) == old[name]:
                path.unlink()
    except OSError as error:
        raise FastSwitchError(f"cannot write to {error.filename or folder}: {error.strerror}") from None


def check_folder(folder: Path) -> None:
    """Make sure that there is a folder, or that one can be made, and that it can be written to, before long work.

    Raises :class:`~arch_model.errors.FastSwitchError` if not, and for a folder whose manifest is no manifest.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise FastSwitchError(f"cannot write to {folder}: {there} is no folder")
    if not os.access(there, os.W_OK):
        raise FastSwitchError(f"cannot write to {folder}: {why_read_only(there)}")
    _read_manifest(folder)


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


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: an interrupted delivery leaves no half of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
