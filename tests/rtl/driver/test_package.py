"""A package comes back from its file as it was; a file that is none is named."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rtl.driver import EMPTY, Package, PackageError
from tests.rtl.driver.packages import DEEPER, SMALL, TINY, fashion_package


@pytest.fixture(scope="module")
def package() -> Package:
    return fashion_package()


@pytest.fixture
def path(package: Package, tmp_path: Path) -> Path:
    package.save(tmp_path / "fashion.npz")
    return tmp_path / "fashion.npz"


def test_comes_back_as_it_was_and_to_the_byte(package: Package, path: Path, tmp_path: Path) -> None:
    again = Package.load(path)
    for name in ("machine", "supernet", "memory_bytes", "pixel_offset", "subnets", "switches"):
        assert getattr(again, name) == getattr(package, name)
    assert (again.weights == package.weights).all() and (again.programs == package.programs).all()
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_says_what_is_in_it(package: Package) -> None:
    assert list(package.subnets) == [SMALL, DEEPER] and package.subgraphs == (EMPTY, "front", "next")
    assert (package.machine.hash, package.machine.port_bytes, package.machine.burst_bytes) == (TINY.hash(), 4, 64)


def header(path: Path) -> tuple[dict, dict]:
    with np.load(path) as file:
        arrays = dict(file)
    return arrays, json.loads(arrays["header"].tobytes())


@pytest.mark.parametrize("spoil", ["cut", "other", "array", "format", "text"])
def test_a_file_that_is_no_package_is_named(spoil: str, path: Path) -> None:
    arrays, said = header(path)
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:-300])
    elif spoil == "other":
        path.write_text("weights\n")
    elif spoil == "array":
        np.savez(path, header=arrays["header"], weights=arrays["weights"])
    else:
        text = json.dumps(said | {"format": "another-1"}) if spoil == "format" else "{"
        np.savez(path, **(arrays | {"header": np.frombuffer(text.encode(), np.uint8)}))
    with pytest.raises(PackageError, match=r"fashion\.npz is not a whole package") as seen:
        Package.load(path)
    assert "\n" not in str(seen.value)


def test_a_package_of_another_format_says_so(path: Path) -> None:
    arrays, said = header(path)
    text = json.dumps(said | {"format": "fastswitch-package-3"})
    np.savez(path, **(arrays | {"header": np.frombuffer(text.encode(), np.uint8)}))
    with pytest.raises(PackageError) as seen:
        Package.load(path)
    said_of_it = f"{path} is of format fastswitch-package-3, and this driver reads fastswitch-package-2; make it anew"
    assert str(seen.value) == said_of_it


def test_a_package_of_the_first_format_is_read(package: Package, path: Path) -> None:
    arrays, said = header(path)
    for subnet in said["subnets"].values():
        assert subnet.pop("host") is None
    text = json.dumps(said | {"format": "fastswitch-package-1"})
    np.savez(path, **(arrays | {"header": np.frombuffer(text.encode(), np.uint8)}))
    assert Package.load(path).subnets == package.subnets


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"cannot read .*none.npz: No such file"):
        Package.load(tmp_path / "none.npz")


@pytest.mark.parametrize("shape", ["(1099511627776,)", "(-1,)", "(2, 2)", "(" + "9" * 5000 + ",)", "((((", "None"])
@pytest.mark.parametrize("name", ["header", "weights", "programs"])
def test_an_array_that_claims_more_than_it_has_is_refused_unallocated(name: str, shape: str, path: Path) -> None:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[f"{name}.npy"] = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"x" * 100
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    with pytest.raises(PackageError, match="is not a whole package"):
        Package.load(path)
