"""The driver's table is rtl/registers.py's. `python tests/rtl/driver/test_registers.py` writes them anew."""

import re
from pathlib import Path

from rtl.errors import MEANING, ErrorCode
from rtl.registers import COUNTERS, IDENTITY, REGISTERS, Register

MOST_FIELDS = 6
"""On a line."""

PATH = Path(__file__).parents[3] / "rtl" / "driver" / "registers.py"


def meaning(code: ErrorCode) -> str:
    """The table's text as one that stands alone."""
    rules = MEANING[ErrorCode.PROTOCOL_PROG].partition(": ")[2]
    text = re.sub(r" \(.*\)$", "", MEANING[code]).replace("the same as 12", rules)
    return text.replace("the same", "SLVERR or DECERR")


def fields_of(register: Register) -> list[str]:
    """The lines of a register's fields: one, or one each where there are many."""
    each = [f'"{field.name}": ({field.low}, {field.width})' for field in register.fields]
    if len(each) <= MOST_FIELDS:
        return [f'    "{register.name}": {{{", ".join(each)}}},']
    return [f'    "{register.name}": {{', *(f"        {field}," for field in each), "    },"]


def module() -> str:
    lines = [
        '"""The machine\'s registers, written from ``rtl/registers.py`` by ``tests/rtl/driver/test_registers.py``."""',
        "",
        f"IDENTITY = 0x{IDENTITY:08X}",
        '"""What the register ID reads."""',
        "",
        "ADDRESS = {",
        *(f'    "{register.name}": 0x{register.address:02X},' for register in REGISTERS),
        "}",
        '"""Byte offset of each register in ``s_axi_ctrl``."""',
        "",
        "FIELDS = {",
        *(line for register in REGISTERS if len(register.fields) > 1 for line in fields_of(register)),
        "}",
        '"""Lowest bit and width of each field, of registers that have several."""',
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
        f"UNIT_ERRORS = ({', '.join(str(int(code)) for code in ErrorCode if code.goes_on)})",
        '"""Codes of units: the Program goes on to its end. After any other only a reset helps."""',
    ]
    return "\n".join(lines) + "\n"


def test_the_file_is_what_the_hardware_has() -> None:
    assert PATH.read_text() == module()


def test_by_hand() -> None:
    from rtl.driver import registers  # not above: whoever writes the file anew may find one that does not work

    assert registers.ADDRESS["STATUS"] == 0x0C and registers.ADDRESS["BASE_1"] == 0x24
    assert registers.FIELDS["STATUS"]["code"] == (8, 8) and registers.FIELDS["CTRL"]["reset"] == (1, 1)
    assert registers.COUNTERS[0] == "CYCLES" and "STATUS" not in registers.COUNTERS
    assert registers.ERRORS[4] == ("READ_WGT", "m_axi_wgt: SLVERR or DECERR")
    assert registers.UNIT_ERRORS == (4, 5, 6, 7)
    assert registers.ERRORS[14][1] == "m_axi_act: a beat nobody asked for, RLAST early or missing, or EXOKAY"
    assert registers.FIELDS["BUS"]["waits_wgt"] == (17, 4)


if __name__ == "__main__":
    PATH.write_text(module())
