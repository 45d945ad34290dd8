import io
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from arch_model.errors import FastSwitchError
from arch_model.files.npz_file import read_npy, read_npz
from arch_model.files.wanted import Wanted

WANTED = Wanted("x.npz", "a good one")
KINDS = ["?", "i1", "u8", "<i4", ">i4", "f2", "f4", "f8", "c8", "U3", "S5"]


def refused(path, **options):
    with pytest.raises(FastSwitchError) as error:
        read_npz(path, WANTED, **options)
    assert len(str(error.value)) < 300 and str(error.value).isprintable()
    return str(error.value)


def member(header, data=b"", version=(1, 0)):
    text = header.encode()
    width = 2 if version[0] == 1 else 4
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(width, "little") + text + data


def npz(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


@settings(max_examples=60, derandomize=True)
@given(
    st.sampled_from(KINDS).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    ),
    st.booleans(),
    st.booleans(),
)
def test_what_is_saved_is_read(tmp_path_factory, array, fortran, packed):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    kept = np.asfortranarray(array) if fortran and array.ndim else array
    (np.savez_compressed if packed else np.savez)(path, a=kept, b=np.int64(3))
    found = read_npz(path, WANTED)
    assert found["b"] == 3 and found["a"].dtype == array.dtype and found["a"].shape == array.shape
    np.testing.assert_array_equal(found["a"], array)
    np.save(path.with_suffix(".npy"), kept)
    np.testing.assert_array_equal(read_npy(path.with_suffix(".npy"), WANTED), array)


LIES = {
    "shape": ("{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,), }", b"abc"),
    "shape of many": ("{'descr': '<f8', 'fortran_order': False, 'shape': (100000, 100000), }", b"abc"),
    "shape beyond int64": ("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999, 3), }", b""),
    "negative": ("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }", b""),
    "boolean side": ("{'descr': '|u1', 'fortran_order': False, 'shape': (True,), }", b"a"),
    "float side": ("{'descr': '|u1', 'fortran_order': False, 'shape': (1.5,), }", b"a"),
    "too many sides": ("{'descr': '|u1', 'fortran_order': False, 'shape': (" + "1," * 70 + "), }", b"a"),
    "too few bytes": ("{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", b"\0" * 11),
    "too many bytes": ("{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", b"\0" * 13),
    "object": ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\x80\x04K\x01."),
    "record": ("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }", b"\0" * 4),
    "date": ("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,), }", b"\0" * 8),
    "void": ("{'descr': '|V0', 'fortran_order': False, 'shape': (999999999999,), }", b""),
    "empty texts": ("{'descr': '<U0', 'fortran_order': False, 'shape': (999999999999,), }", b""),
    "wide text": ("{'descr': '<U999999999', 'fortran_order': False, 'shape': (1,), }", b""),
    "no Unicode": ("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", b"\xff\xff\xff\x7f"),
    "no type": ("{'descr': 'hello', 'fortran_order': False, 'shape': (1,), }", b"a"),
    "no key": ("{'descr': '|u1', 'shape': (1,), }", b"a"),
    "no literal": ("__import__('os').getcwd()", b"a"),
    "deep literal": ("(" * 5000, b"a"),
    "long header": ("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }" + " " * 20_000, b"a"),
    "digits": ("{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",), }", b"a"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_is_refused_before_anything_is_allocated(tmp_path, name):
    header, data = LIES[name]
    for version in ((1, 0), (2, 0)):
        refused(npz(tmp_path / "a.npz", [("a.npy", member(header, data, version))]))
    (tmp_path / "a.npy").write_bytes(member(header, data))
    with pytest.raises(FastSwitchError):
        read_npy(tmp_path / "a.npy", WANTED)


def test_a_file_that_is_none_or_lies_as_a_whole(tmp_path):
    good = io.BytesIO()
    np.save(good, np.arange(5))
    path = tmp_path / "a.npz"
    path.write_bytes(b"hello")
    assert refused(path) == "x.npz is not an npz file; give a good one"
    path.write_bytes(b"")
    assert "is not an npz file" in refused(path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        npz(path, [("a.npy", good.getvalue()), ("a.npy", good.getvalue())])
    assert "array a is there twice" in refused(path)
    npz(path, [("a.npy", good.getvalue())])
    assert "it has no array b, but a" in refused(path, names=("b",))
    assert "is not one of NumPy's" in refused(npz(tmp_path / "b.npz", [("a.npy", b"x" * 200)]))
    bomb = member("{'descr': '|u1', 'fortran_order': False, 'shape': (3000000,), }", bytes(3_000_000))
    assert "has arrays of more bytes" in refused(npz(tmp_path / "c.npz", [("a.npy", bomb)] * 1), most=2**20)
    np.savez(tmp_path / "d.npz", a=np.array([object()], dtype=object))
    assert "is of type object" in refused(tmp_path / "d.npz")


@settings(max_examples=150, derandomize=True)
@given(st.data())
def test_a_damaged_file_gives_its_arrays_or_one_line(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    np.savez_compressed(path, a=np.arange(40, dtype=np.int16).reshape(5, 8), text=np.array("hello"))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw)
    try:
        read_npz(path, WANTED)
    except FastSwitchError as error:
        assert str(error).isprintable()


def test_arrays_of_the_other_byte_order(tmp_path):
    np.savez(path := tmp_path / "a.npz", text=np.array(["läuft", ""], ">U5"), number=np.array([1, 258], ">i2"))
    found = read_npz(path, WANTED)
    assert found["text"].tolist() == ["läuft", ""] and found["number"].tolist() == [1, 258]
