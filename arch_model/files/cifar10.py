"""CIFAR-10, in any form in which it is found: the official files of bytes or of Python, pictures, an npz file.

Whatever the form, the images come as uint8 (N, 3, 32, 32) and the labels as uint8 (N,) from 0 to 9, in the order of
:data:`CLASSES`. What a file claims is checked, and nothing is run that a pickled file asks for.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.files.npz_file import read_npz
from arch_model.files.shown import plain, shown
from arch_model.files.text import read_bytes
from arch_model.files.wanted import Wanted, one_line

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""What a label means, by its number; also the names of the folders of pictures."""
SHAPE = (3, 32, 32)
"""Of an image: channels, rows, columns."""

SPLITS = {"train": [f"data_batch_{n}" for n in range(1, 6)], "test": ["test_batch"]}
"""The official files of a part of the data, without ``.bin``."""
FORMS = (
    "the official files data_batch_1 to 5 and test_batch, with or without .bin, a folder with train/CLASS/*.png and "
    "test/CLASS/*.png, or an npz file with train_jpeg, train_ends, train_labels and the same of test"
)
_PICTURES = (".png", ".jpg", ".jpeg")
_BYTES = 200 * 2**20
_RECORD = 1 + int(np.prod(SHAPE))

Pixels = npt.NDArray[np.uint8]


class DataError(FastSwitchError):
    """A data set that is missing, cut off or another one: names the file, what is wrong and what would be right."""


def read_cifar10(data: str | Path, split: str) -> tuple[Pixels, Pixels]:
    """Images and labels of CIFAR-10.

    Parameters
    ----------
    data : the folder that has the official files of bytes (``.bin``) or of Python, or ``cifar-10-batches-bin`` or
        ``cifar-10-batches-py`` with them; a folder with ``train/CLASS/*.png`` and ``test/CLASS/*.png``, or ``.jpg``; or
        an npz file with the arrays ``train_jpeg`` (uint8, the bytes of all pictures one after another),
        ``train_ends`` (where each ends) and ``train_labels``, and the same of ``test``. Pictures need the package
        Pillow.
    split : ``"train"`` or ``"test"``.

    Returns
    -------
    images : uint8 (N, 3, 32, 32)
    labels : uint8 (N,), 0 to 9; see :data:`CLASSES`

    Raises
    ------
    DataError
        There is no such file, or one of its images or labels is none of CIFAR-10's.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "test_batch.bin").write_bytes(bytes([9]) + bytes(3072))   # a black truck
    ...     images, labels = read_cifar10(folder, "test")
    >>> images.shape, labels.tolist()
    ((1, 3, 32, 32), [9])
    """
    if split not in SPLITS:
        raise DataError(f"split is {shown(split)}; give one of {', '.join(SPLITS)}")
    path = Path(data)
    if path.is_dir():
        images, labels = _folder(path, split)
    else:
        images, labels = _jpeg_archive(path, split)
    return np.ascontiguousarray(images), labels.astype(np.uint8)


def _folder(folder: Path, split: str) -> tuple[Pixels, Pixels]:
    for home in (folder, folder / "cifar-10-batches-bin", folder / "cifar-10-batches-py"):
        for end, read in ((".bin", _records), ("", _pickled)):
            files = [home / f"{name}{end}" for name in SPLITS[split]]
            there = [file for file in files if file.is_file()]
            if there and there != files:
                lost = next(file for file in files if file not in there)
                raise DataError(
                    f"{lost} is missing, and {there[0].name} is there; give all of {', '.join(SPLITS[split])}"
                )
            if there:
                return _joined(read(file) for file in files)
    if (folder / split).is_dir():
        return _pictures(folder / split)
    raise DataError(f"{folder}: it has no images of CIFAR-10's {split} set; give {FORMS}")


def _joined(parts: Iterable[tuple[Pixels, Any]]) -> tuple[Pixels, Pixels]:
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _checked(images: Any, labels: Any, wanted: Wanted) -> tuple[Pixels, Pixels]:
    """Images (N, 3072) or (N, 3, 32, 32) and labels as they should be."""
    pixels, numbers = np.asarray(images), np.asarray(labels)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 4) or pixels[:1].size != _RECORD - 1:
        raise wanted.wrong(f"its images are {pixels.dtype} {pixels.shape}")
    if numbers.shape != pixels.shape[:1] or numbers.dtype.kind not in "iu":
        raise wanted.wrong(f"it has {len(pixels)} images, and labels {numbers.dtype} {numbers.shape}")
    if numbers.min() < 0 or numbers.max() >= len(CLASSES):
        first = int(np.flatnonzero((numbers < 0) | (numbers >= len(CLASSES)))[0])
        raise wanted.wrong(f"the label of image {first} is {numbers[first]}", right=f"labels 0 to {len(CLASSES) - 1}")
    return pixels.reshape(-1, *SHAPE), numbers.astype(np.uint8)


# ---- the official files


def _records(path: Path) -> tuple[Pixels, Pixels]:
    """One byte of label and 3,072 of pixels, red, green, blue, row by row, for each image."""
    wanted = Wanted(str(path), "a file of CIFAR-10 of 3,073 bytes an image", DataError)
    raw = np.frombuffer(read_bytes(path, wanted, _BYTES), np.uint8)
    if not len(raw) or len(raw) % _RECORD:
        raise wanted.wrong(f"it has {len(raw)} bytes, which is no multiple of {_RECORD}")
    rows = raw.reshape(-1, _RECORD)
    return _checked(rows[:, 1:], rows[:, 0], wanted)


class _Plain(pickle.Unpickler):
    """Takes arrays and plain values from a pickled file, and calls nothing else that it names."""

    def find_class(self, module: str, name: str) -> Any:
        home = module.replace("numpy._core", "numpy.core")
        if (home, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.zeros(0).__reduce__()[0]
        if (home, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            import _codecs

            return _codecs.encode
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _pickled(path: Path) -> tuple[Pixels, Pixels]:
    """A pickled dictionary of ``data``, uint8 (N, 3072), and the list ``labels``."""
    wanted = Wanted(str(path), "a file of CIFAR-10 for Python, pickled data and labels", DataError)
    raw = read_bytes(path, wanted, _BYTES)
    try:
        held = _Plain(io.BytesIO(raw), encoding="bytes").load()
    except Exception as error:  # bytes that are no pickle raise whatever they happen to say
        raise wanted.wrong(f"it cannot be read ({one_line(error)})") from None
    if not isinstance(held, dict):
        raise wanted.wrong(f"it has a {type(held).__name__}")
    named = {key.decode("latin1") if isinstance(key, bytes) else str(key): value for key, value in held.items()}
    for key in ("data", "labels"):
        if key not in named:
            raise wanted.wrong(f"it has no {key}, but {plain(', '.join(named) or 'nothing', 100)}")
    if not named["labels"]:
        raise wanted.wrong("it has no images")
    return _checked(named["data"], named["labels"], wanted)


# ---- pictures


def _decoder() -> Callable[[bytes, Wanted], Pixels]:
    """What makes uint8 (3, 32, 32) of the bytes of a picture."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError("pictures need the package Pillow; pip install pillow, or give the official files") from None

    def decode(raw: bytes, wanted: Wanted) -> Pixels:
        try:
            with Image.open(io.BytesIO(raw), formats=("JPEG", "PNG")) as picture:
                if picture.size != SHAPE[:0:-1]:
                    raise wanted.wrong(f"it has {picture.size[0]} x {picture.size[1]} pixels", right="32 x 32")
                return np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
        except DataError:
            raise
        except Exception as error:  # as many kinds as there are ways to damage a picture
            raise wanted.wrong(f"it is no JPEG or PNG picture ({one_line(error)})") from None

    return decode


def _pictures(folder: Path) -> tuple[Pixels, Pixels]:
    """Of folders that are called by a class or its number."""
    decode, images, labels = _decoder(), [], []
    for home in sorted(one for one in folder.iterdir() if one.is_dir()):
        known = {**{name: n for n, name in enumerate(CLASSES)}, **{str(n): n for n in range(len(CLASSES))}}
        if home.name not in known:
            raise DataError(
                f"{home}: it is none of the ten classes; give folders called {', '.join(CLASSES)}, or 0 to 9"
            )
        for file in sorted(one for one in home.iterdir() if one.suffix.lower() in _PICTURES):
            wanted = Wanted(str(file), "a picture of 32 x 32 pixels", DataError)
            images.append(decode(read_bytes(file, wanted, 2**20), wanted))
            labels.append(known[home.name])
    if not images:
        raise DataError(f"{folder}: it has no CLASS/*{' or CLASS/*'.join(_PICTURES)}; give {FORMS}")
    return np.stack(images), np.array(labels, np.uint8)


def _jpeg_archive(path: Path, split: str) -> tuple[Pixels, Pixels]:
    names = [f"{split}_{part}" for part in ("jpeg", "ends", "labels")]
    wanted = Wanted(str(path), FORMS, DataError)
    arrays = read_npz(path, wanted, names)
    raw, ends, labels = (arrays[name] for name in names)
    if raw.dtype != np.uint8 or raw.ndim != 1:
        raise wanted.wrong(f"{names[0]} is {raw.dtype} {raw.shape}", right="uint8 (bytes,)")
    if ends.ndim != 1 or ends.dtype.kind not in "iu" or not len(ends):
        raise wanted.wrong(f"{names[1]} is {ends.dtype} {ends.shape}", right="where each picture ends")
    starts = np.concatenate(([0], ends[:-1]))
    if (ends <= starts).any() or ends[-1] != len(raw):
        raise wanted.wrong(f"{names[1]} is not rising from 0 to {len(raw)}", right="where each picture ends")
    decode = _decoder()

    def images() -> Iterator[Pixels]:
        for n, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            yield decode(raw[start:end].tobytes(), Wanted(f"{path}: picture {n} of {names[0]}", FORMS, DataError))

    return _checked(np.stack(list(images())), labels, wanted)
