"""The registers as SystemRDL, and what PeakRDL makes of that: HTML, Markdown, a C header, IP-XACT."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.scratch import scratch_folder
from rtl.errors import ERROR_BITS, MEANING
from rtl.registers import BITS, FIELDS, REGISTERS, Access, Field, Machine, Register

NAME = "fastswitch"

_PROPERTIES = {
    Access.CONSTANT: "sw = r; hw = na;",
    Access.READ: "sw = r; hw = w;",
    Access.WRITE: "sw = rw; hw = r;",
    Access.START: "sw = rw; hw = r;",
    Access.COMMAND: "sw = w; hw = r; singlepulse;",
    Access.CLEAR: "sw = rw; hw = rw; onwrite = woclr; hwset;",
    Access.COUNT: "sw = r; hw = w; counter;",
}


def systemrdl(machine: Machine) -> str:
    """The table of :mod:`rtl.registers` as SystemRDL 2.0 (Accellera, 2018), with the reset values of ``machine``."""
    parts = [
        "// The registers behind s_axi_ctrl.",
        f"addrmap {NAME} {{",
        '    name = "FastSwitch";',
        '    desc = "Start, status, interrupt and counters of a SubGraph-Stationary accelerator.";',
        f"    default regwidth = {BITS};",
        f"    default accesswidth = {BITS};",
        "    littleendian;",
        "    lsb0;",
        _error_codes(),
        *(_register(register, machine) for register in REGISTERS),
        "};",
    ]
    return "\n".join(parts) + "\n"


def _error_codes() -> str:
    """The values of STATUS's field ``code``, each meaning in words that stand alone."""
    rows = [f"        NONE = {ERROR_BITS}'d0;"]
    for code, text in MEANING.items():
        alone = re.sub(r" \(.*\)$", "", text).replace("the same", "SLVERR or DECERR")
        rows.append(f"        {code.name} = {ERROR_BITS}'d{int(code)} {{ desc = {_quoted(alone)}; }};")
    return "\n    enum error_code {\n" + "\n".join(rows) + "\n    };"


def _register(register: Register, machine: Machine) -> str:
    fields = "\n".join(_field(field, register.access, machine) for field in register.fields)
    return (
        f'\n    reg {{\n        name = "{register.name}";\n        desc = {_quoted(register.doc)};\n{fields}\n'
        f"    }} {register.name} @ 0x{register.address:02X};"
    )


def _field(field: Field, access: Access, machine: Machine) -> str:
    reset = f"{field.width}'h{field.reset_value(machine):x}"
    encoded = " encode = error_code;" if field is FIELDS["STATUS", "code"] else ""
    return (
        f"        field {{\n            desc = {_quoted(field.doc)};\n            {_PROPERTIES[access]}{encoded}\n"
        f"        }} {field.name}[{field.high}:{field.low}] = {reset};"
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def register_files(accelerator: Accelerator) -> dict[str, bytes]:
    """By file name: ``fastswitch.rdl``, ``.h``, ``.md``, ``.xml`` (IP-XACT, IEEE 1685-2014) and ``html/``.

    Raises
    ------
    FastSwitchError
        PeakRDL is not installed.
    """
    try:
        from peakrdl_cheader.exporter import CHeaderExporter
        from peakrdl_html import HTMLExporter
        from peakrdl_ipxact import IPXACTExporter, Standard
        from peakrdl_markdown import MarkdownExporter
        from systemrdl.compiler import RDLCompiler
    except ImportError as error:
        raise FastSwitchError(
            f"register files are made with PeakRDL, and {error.name} is missing: pip install 'fastswitch[rtl]'"
        ) from None
    with scratch_folder() as folder:
        source = folder / f"{NAME}.rdl"
        source.write_text(systemrdl(accelerator))
        compiler = RDLCompiler()
        compiler.compile_file(str(source))
        top = compiler.elaborate().top
        CHeaderExporter().export(top, str(folder / f"{NAME}.h"), explode_top=False)
        HTMLExporter(generate_source_links=False).export(top, str(folder / "html"), title="FastSwitch: registers")
        MarkdownExporter().export(top, str(folder / f"{NAME}.md"))
        names = {"vendor": NAME, "library": "accelerators", "version": version("fastswitch")}
        IPXACTExporter(**names, standard=Standard.IEEE_1685_2014).export(top, str(folder / f"{NAME}.xml"))
        made = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    made[f"{NAME}.h"] = plain_header(made[f"{NAME}.h"].decode()).encode()
    return reproducible(made)


def plain_header(header: str) -> str:
    """A C header of PeakRDL's with its struct as the compiler lays it out, and with the error codes.

    Registers are whole words on multiples of four, so nothing is to be packed; of a packed struct a compiler may read
    a register byte by byte, and warns where the address of one is taken. That the size is right the header asserts.
    """
    rows = ["NONE = 0", *(f"{code.name} = {int(code)}" for code in MEANING)]
    codes = ",\n".join(f"    {NAME.upper()}_ERROR_{row}" for row in rows)
    struct = f"// addrmap - {NAME}\ntypedef struct "
    return header.replace(
        f"{struct}__attribute__ ((__packed__)) {{",
        f"// Values of STATUS's field code.\nenum {NAME}_error {{\n{codes}\n}};\n\n{struct}{{",
    )


def reproducible(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same files without what changes from day to day or reaches outside: the page's time stamp, and MathJax from
    another host (no text here has formulas). Of each font only WOFF 2 stays, which every browser takes.

    >>> page = b'<script async src="https://x.org/M.js"></script><script>var BUILD_TS = 17;</script><a href="b?ts=17">'
    >>> reproducible({"html/index.html": page, "html/fonts/a.ttf": b"", "html/fonts/a.woff2": b""})
    {'html/fonts/a.woff2': b'', 'html/index.html': b'<script>var BUILD_TS = 0;</script><a href="b?ts=0">'}
    """
    page = files["html/index.html"].decode()
    stamp = re.search(r"var BUILD_TS = (\d+);", page)
    if stamp:
        page = re.sub(rf"\b{stamp[1]}\b", "0", page)
    page = re.sub(r'\s*<script async src="https://[^"]*"></script>', "", page)
    page = re.sub(r'\s*<script type="text/x-mathjax-config">.*?</script>', "", page, flags=re.DOTALL)
    kept = {
        name: data
        for name, data in sorted(files.items())
        if not ("/fonts/" in name and name.rsplit(".", 1)[0] + ".woff2" in files and not name.endswith(".woff2"))
    }
    for name in kept:  # a page that has no MathJax to call
        if name.startswith("html/js/"):
            kept[name] = re.sub(rb"^ *MathJax\..*\n", b"", kept[name], flags=re.MULTILINE)
    return kept | {"html/index.html": page.encode()}
