"""SystemRDL, read back by its compiler, is the table; the C header, compiled, has its addresses, bits and resets."""

import doctest
import shutil
import subprocess
import xml.etree.ElementTree as ET
from importlib.metadata import version

import pytest

import rtl.handover.systemrdl
from arch_model.machine.accelerator import Accelerator
from rtl.errors import ErrorCode
from rtl.handover.project import VLNV
from rtl.handover.systemrdl import register_files, reproducible, systemrdl
from rtl.registers import REGISTERS, Access

compiler = pytest.importorskip("systemrdl.compiler", reason="the extra 'rtl' is not installed")
ZCU104 = Accelerator.load("zcu104")
FIELDS = [(register, field) for register in REGISTERS for field in register.fields]
SOFTWARE = {
    Access.CONSTANT: (True, False),
    Access.READ: (True, False),
    Access.WRITE: (True, True),
    Access.START: (True, True),
    Access.COMMAND: (False, True),
    Access.CLEAR: (True, True),
    Access.COUNT: (True, False),
}
"""May read, may write."""


@pytest.fixture(scope="module")
def files():
    return register_files(ZCU104)


def test_examples():
    assert doctest.testmod(rtl.handover.systemrdl).failed == 0


def test_round_trip(tmp_path):
    """Addresses, widths, access and reset values, from the text through the SystemRDL compiler."""
    (tmp_path / "a.rdl").write_text(systemrdl(ZCU104))
    read = compiler.RDLCompiler()
    read.compile_file(str(tmp_path / "a.rdl"))
    top = read.elaborate().top
    nodes = {node.inst_name: node for node in top.registers()}
    assert list(nodes) == [register.name for register in REGISTERS]
    for register in REGISTERS:
        node = nodes[register.name]
        assert (node.absolute_address, node.get_property("regwidth")) == (register.address, 32)
        assert node.get_property("desc") == register.doc
        found = {field.inst_name: field for field in node.fields()}
        assert set(found) == {field.name for field in register.fields}
        for field in register.fields:
            there = found[field.name]
            assert (there.low, there.high) == (field.low, field.high)
            assert there.get_property("reset") == field.reset_value(ZCU104)
            assert (there.is_sw_readable, there.is_sw_writable) == SOFTWARE[register.access]
            assert (there.get_property("onwrite") is not None) == (register.access is Access.CLEAR)
            assert there.get_property("singlepulse") == (register.access is Access.COMMAND)
            codes = there.get_property("encode")
            assert (codes is not None) == (field.name == "code")
            if codes is not None:
                assert {code.name: code.value for code in codes} == {"NONE": 0, **ErrorCode.__members__}
            assert there.is_hw_writable == (register.access in (Access.READ, Access.CLEAR, Access.COUNT))


def test_values_of_this_machine():
    assert "kp[7:0] = 8'h10;" in systemrdl(ZCU104) and "beat_bytes[31:16] = 16'h10;" in systemrdl(ZCU104)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_c_header(files, tmp_path):
    """It compiles with -Wall -Werror, as C and as C++, also where a register's address is taken; a program prints what
    the table has.
    """
    (tmp_path / "fastswitch.h").write_bytes(files["fastswitch.h"])
    lines = ['#include <stdio.h>\n#include <stddef.h>\n#include "fastswitch.h"']
    lines += ["static volatile uint32_t *status(volatile fastswitch_t *m) { return &m->STATUS; }"]
    lines += ["int main(void) { fastswitch_t machine; if (status(&machine) != &machine.STATUS) return 1;"]
    lines += [f'printf("%zu\\n", offsetof(fastswitch_t, {register.name}));' for register in REGISTERS]
    lines += [f'printf("%d\\n", FASTSWITCH_ERROR_{code.name});' for code in ErrorCode]
    for register, field in FIELDS:
        name = f"FASTSWITCH__{register.name}__{field.name.upper()}"
        lines.append(f'printf("%u %u %u %u\\n", {name}_bp, {name}_bw, {name}_bm, {name}_reset);')
    (tmp_path / "a.c").write_text("\n".join(lines) + "return 0; }\n")
    for language in ("c", "c++"):
        flags = ["-x", language, f"-std={language}11", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
        subprocess.run(["gcc", *flags, "-o", tmp_path / "a", tmp_path / "a.c"], check=True)
    printed = subprocess.run([tmp_path / "a"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert list(map(int, printed[: len(REGISTERS)])) == [register.address for register in REGISTERS]
    codes = printed[len(REGISTERS) : len(REGISTERS) + len(ErrorCode)]
    assert list(map(int, codes)) == [int(code) for code in ErrorCode]
    for line, (_, field) in zip(printed[len(REGISTERS) + len(ErrorCode) :], FIELDS, strict=True):
        mask = ((1 << field.width) - 1) << field.low
        assert list(map(int, line.split())) == [field.low, field.width, mask, field.reset_value(ZCU104)]


def test_ip_xact(files):
    space = {"x": "http://www.accellera.org/XMLSchema/IPXACT/1685-2014"}
    component = ET.fromstring(files["fastswitch.xml"])
    name = [component.find(f"x:{part}", space).text for part in ("vendor", "library", "name", "version")]
    assert ":".join(name) == f"{VLNV}:{version('fastswitch')}"  # as the FuseSoC core has it
    registers = component.findall(".//x:register", space)
    found = {r.find("x:name", space).text: int(r.find("x:addressOffset", space).text[2:], 16) for r in registers}
    assert found == {register.name: register.address for register in REGISTERS}


def test_markdown_names_every_register_and_field(files):
    text = files["fastswitch.md"].decode()
    for register, field in FIELDS:
        assert f"### {register.name} register" in text and f"#### {field.name} field" in text


def test_pages_have_no_time_and_load_nothing_from_elsewhere(files):
    assert b"var BUILD_TS = 0;" in files["html/index.html"]
    for name, data in files.items():
        if name.endswith((".html", ".js")):
            assert b"MathJax" not in data and b'src="http' not in data, name
    assert {name.rsplit(".", 1)[1] for name in files if "/fonts/" in name} == {"woff2"}


def test_a_font_without_another_form_stays():
    assert "html/fonts/only.ttf" in reproducible({"html/index.html": b"", "html/fonts/only.ttf": b""})
