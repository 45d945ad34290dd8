"""The driver's addresses are those of rtl/control.py. `python tests/rtl/driver/test_registers.py` writes them anew."""

import re
from pathlib import Path

import rtl.driver.registers as registers
from rtl.control import COUNTERS, IDENTITY, REGISTERS
from rtl.errors import MEANING, ErrorCode

ROOT = Path(__file__).parents[3]


def meaning(code: ErrorCode) -> str:
    """The table's text as one that stands alone."""
    return re.sub(r" \(.*\)$", "", MEANING[code]).replace("the same", "SLVERR or DECERR")


def module() -> str:
    lines = [
        '"""The machine\'s registers, written from ``rtl/control.py`` by ``tests/rtl/driver/test_registers.py``."""',
        "",
        f"IDENTITY = 0x{IDENTITY:08X}",
        '"""What the register ID reads."""',
        "",
        "ADDRESS = {",
        *(f'    "{register.name}": 0x{register.address:02X},' for register in REGISTERS),
        "}",
        '"""Byte offset of each register in ``s_axi_ctrl``."""',
        "",
        "COUNTERS = (",
        *(f'    "{register.name}",' for register in COUNTERS),
        ")",
        '"""Registers that count."""',
        "",
        "ERRORS = {",
        *(f'    {int(code)}: ("{code.name}", "{meaning(code)}"),' for code in ErrorCode),
        "}",
        '"""Name and meaning of the error codes of STATUS."""',
        "",
        f"UNIT_ERRORS = ({', '.join(str(int(code)) for code in ErrorCode if code.of_unit)})",
        '"""Codes of units: the Program goes on to its end. After any other only a reset helps."""',
    ]
    return "\n".join(lines) + "\n"


def test_the_file_is_what_the_hardware_has() -> None:
    assert Path(registers.__file__).read_text() == module()


def test_by_hand() -> None:
    assert registers.ADDRESS["STATUS"] == 0x0C and registers.ADDRESS["BASE_1"] == 0x24
    assert registers.COUNTERS[0] == "CYCLES" and "STATUS" not in registers.COUNTERS
    assert registers.ERRORS[4] == ("READ_WGT", "m_axi_wgt: SLVERR or DECERR")
    assert registers.UNIT_ERRORS == (4, 5, 6, 7)


if __name__ == "__main__":
    (ROOT / "rtl" / "driver" / "registers.py").write_text(module())
