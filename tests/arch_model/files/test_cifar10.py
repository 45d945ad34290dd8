"""CIFAR-10 in its several forms: the same images and labels from each, and what is wrong is named."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from arch_model.files.cifar10 import CLASSES, DataError, read_cifar10

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install pillow)")
LABELS = np.array([3, 0, 9, 9, 1], np.uint8)
IMAGES = np.random.default_rng(1).integers(0, 256, (5, 3, 32, 32), np.uint8)


def records(images: np.ndarray, labels: np.ndarray) -> bytes:
    return np.concatenate([labels[:, None], images.reshape(len(images), -1)], 1).tobytes()


def picture(image: np.ndarray, kind: str = "PNG") -> bytes:
    Image.fromarray(image.transpose(1, 2, 0)).save(file := io.BytesIO(), kind, quality=100, subsampling=0)
    return file.getvalue()


def in_bytes(folder: Path) -> Path:
    (folder / "test_batch.bin").write_bytes(records(IMAGES, LABELS))
    return folder


def in_python(folder: Path) -> Path:
    (home := folder / "cifar-10-batches-py").mkdir()
    held = {b"data": IMAGES.reshape(5, -1), b"labels": LABELS.tolist(), b"batch_label": b"testing batch 1 of 1"}
    (home / "test_batch").write_bytes(pickle.dumps(held, 2))
    return folder


def in_folders(folder: Path) -> Path:
    for n, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        (home := folder / "test" / CLASSES[label]).mkdir(parents=True, exist_ok=True)
        (home / f"{n}.png").write_bytes(picture(image))
    return folder


def in_npz(folder: Path, **changed: np.ndarray) -> Path:
    jpeg = [picture(image) for image in IMAGES]
    arrays = {
        "test_jpeg": np.frombuffer(b"".join(jpeg), np.uint8),
        "test_ends": np.cumsum([len(one) for one in jpeg]),
        "test_labels": LABELS,
    }
    np.savez(folder / "c.npz", **arrays | changed)
    return folder / "c.npz"


@pytest.mark.parametrize("form", [in_bytes, in_python, in_folders, in_npz])
def test_every_form_has_the_same(tmp_path: Path, form) -> None:
    images, labels = read_cifar10(form(tmp_path), "test")
    if form is in_folders:  # class by class
        order = np.argsort(LABELS, kind="stable")
        assert (images == IMAGES[order]).all() and (labels == LABELS[order]).all()
    else:
        assert (images == IMAGES).all() and (labels == LABELS).all()
    assert images.dtype == labels.dtype == np.uint8 and images.flags.c_contiguous


def test_the_training_set_is_five_files_in_order(tmp_path: Path) -> None:
    for n in range(5):
        (tmp_path / f"data_batch_{n + 1}.bin").write_bytes(records(IMAGES[n : n + 1], LABELS[n : n + 1]))
    images, labels = read_cifar10(tmp_path, "train")
    assert (images == IMAGES).all() and (labels == LABELS).all()
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(
        DataError, match=r"data_batch_4\.bin is missing, and data_batch_1\.bin is there; give all of data"
    ):
        read_cifar10(tmp_path, "train")


def test_jpeg(tmp_path: Path) -> None:
    """A picture of one colour is that colour."""
    red = np.zeros((3, 32, 32), np.uint8)
    red[0] = 200
    jpeg = picture(red, "JPEG")
    ends, labels = np.array([len(jpeg)]), LABELS[:1]
    file = in_npz(tmp_path, test_jpeg=np.frombuffer(jpeg, np.uint8), test_ends=ends, test_labels=labels)
    assert np.abs(read_cifar10(file, "test")[0][0].astype(int) - red).max() <= 2


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "it has 0 bytes, which is no multiple of 3073"),
        (records(IMAGES, LABELS)[:-1], "it has 15364 bytes, which is no multiple of 3073"),
        (records(IMAGES, LABELS + 1), "the label of image 2 is 10; give labels 0 to 9"),
    ],
)
def test_wrong_bytes(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "test_batch.bin").write_bytes(raw)
    with pytest.raises(DataError, match=rf"test_batch\.bin: {said}"):
        read_cifar10(tmp_path, "test")


class Wicked:
    def __reduce__(self) -> tuple:
        return os.system, ("touch wicked",)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([1], "it has a list"),
        ({"data": 1}, "it has no labels, but data"),
        ({"data": IMAGES.reshape(5, -1), "labels": []}, "it has no images"),
        ({"data": IMAGES.reshape(5, -1), "labels": [1, 2]}, r"it has 5 images, and labels int64 \(2,\)"),
        ({"data": IMAGES.reshape(5, -1)[:, 1:], "labels": [1] * 5}, r"its images are uint8 \(5, 3071\)"),
        ({"data": IMAGES.reshape(5, -1), "labels": [-1] * 5}, "the label of image 0 is -1"),
        ({"data": Wicked(), "labels": [1]}, r"it cannot be read \(it asks for (posix|nt)\.system\)"),
    ],
)
def test_wrong_python(tmp_path: Path, held: object, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_batch").write_bytes(pickle.dumps(held, 2))
    with pytest.raises(DataError, match=rf"test_batch: {said}"):
        read_cifar10(tmp_path, "test")
    assert not (tmp_path / "wicked").exists()


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="it has no images of CIFAR-10's test set; give the official files data_batch_1"
    ):
        read_cifar10(tmp_path, "test")
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match=r"test: it has no CLASS/\*\.png or CLASS/\*\.jpg"):
        read_cifar10(tmp_path, "test")
    (cats := tmp_path / "test" / "cat").mkdir()
    (cats / "1.png").write_bytes(b"\x89PNG no")
    with pytest.raises(DataError, match=r"1\.png: it is no JPEG or PNG picture \(.*; give a picture of 32 x 32 pixels"):
        read_cifar10(tmp_path, "test")
    (cats / "1.png").write_bytes(picture(IMAGES[0][:, :16]))
    with pytest.raises(DataError, match=r"1\.png: it has 32 x 16 pixels; give 32 x 32"):
        read_cifar10(tmp_path, "test")
    (cats / "1.png").unlink()
    (tmp_path / "test" / "lynx").mkdir()
    with pytest.raises(DataError, match="lynx: it is none of the ten classes; give folders called airplane, "):
        read_cifar10(tmp_path, "test")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"test_jpeg": np.zeros(3)}, r"test_jpeg is float64 \(3,\); give uint8"),
        ({"test_ends": np.array([5, 4, 6, 7, 8])}, "test_ends is not rising from 0 to"),
        ({"test_ends": np.array([], np.int64)}, r"test_ends is int64 \(0,\)"),
        ({"test_labels": LABELS[:3]}, r"it has 5 images, and labels uint8 \(3,\)"),
    ],
)
def test_wrong_npz(tmp_path: Path, changed: dict, said: str) -> None:
    with pytest.raises(DataError, match=rf"c\.npz: {said}"):
        read_cifar10(in_npz(tmp_path, **changed), "test")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz does not exist; give the official files"):
        read_cifar10(tmp_path / "none.npz", "train")
    with pytest.raises(DataError, match=r"c\.npz: it has no array train_jpeg, but test_jpeg, test_ends, test_labels"):
        read_cifar10(in_npz(tmp_path), "train")
    with pytest.raises(DataError, match="split is 'valid'; give one of train, test"):
        read_cifar10(tmp_path, "valid")
