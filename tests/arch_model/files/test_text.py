import gzip
import os
import socket

import pytest

from arch_model.errors import FastSwitchError
from arch_model.files.text import gunzipped, read_bytes, read_text
from arch_model.files.wanted import Wanted

WANTED = Wanted("file x", "a good one")


def refused(call, *arguments):
    with pytest.raises(FastSwitchError) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_text_is_read_with_and_without_its_mark(tmp_path):
    (tmp_path / "a").write_bytes("größe".encode())
    (tmp_path / "b").write_bytes("größe".encode("utf-8-sig"))
    assert read_text(tmp_path / "a", WANTED) == read_text(tmp_path / "b", WANTED) == "größe"


def test_what_is_no_file_is_refused_and_nothing_waits(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    assert read_bytes(tmp_path / "pipe", WANTED) == b""  # nobody writes it
    assert refused(read_text, tmp_path, WANTED) == "file x cannot be read (Is a directory); give a good one"
    assert refused(read_text, "/dev/zero", WANTED).startswith("file x cannot be read (it is a device or a socket)")
    assert refused(read_text, tmp_path / "socket", WANTED).startswith("file x cannot be read (")
    assert refused(read_text, tmp_path / "none", WANTED) == "file x does not exist; give a good one"
    assert refused(read_text, "x" * 5000, WANTED).startswith("file x cannot be read (File name too long)")
    assert refused(read_text, "a\0b", WANTED).startswith("file x cannot be read (its name has a null byte)")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refused(read_text, tmp_path / "loop", WANTED).startswith("file x cannot be read (")


def test_bytes_have_a_budget_in_files_and_in_pipes(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", WANTED, 5) == b"12345"
    assert refused(read_bytes, tmp_path / "a", WANTED, 4) == "file x has 5 bytes, more than 4; give a good one"
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(2**40)
    assert "has 1099511627776 bytes" in refused(read_bytes, tmp_path / "sparse", WANTED)
    reading, writing = os.pipe()
    try:
        os.write(writing, b"12345")
        os.close(writing)
        assert refused(read_bytes, f"/dev/fd/{reading}", WANTED, 4).startswith("file x has more than 4 bytes")
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("data", "at"), [(b"\xff", 0), (b"ab\x80", 2), (b"\xed\xa0\x80", 0), (b"\xef\xbb\xbfa\xc3", 1)]
)
def test_the_first_byte_that_is_no_text_is_named(tmp_path, data, at):
    (tmp_path / "a").write_bytes(data)
    assert refused(read_text, tmp_path / "a", WANTED) == f"file x: byte {at} is not UTF-8; give a good one"


def test_gzip_is_unpacked_within_a_budget():
    whole = gzip.compress(b"a" * 100) + gzip.compress(b"b" * 100)
    assert gunzipped(whole, WANTED) == b"a" * 100 + b"b" * 100
    assert gunzipped(whole, WANTED, 200)
    assert "unpacks to more than 199 bytes" in refused(gunzipped, whole, WANTED, 199)
    bomb = gzip.compress(bytes(10**7))
    assert "unpacks to more than 1000 bytes" in refused(gunzipped, bomb, WANTED, 1000)
    for damaged in (
        whole[:-9],
        whole[:40],
        b"\x1f\x8b",
        whole[:20] + b"\xff\xff" + whole[22:],
        b"not gzip",
        whole + b"x",
    ):
        assert "gzip" in refused(gunzipped, damaged, WANTED)
