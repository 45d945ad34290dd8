"""The machine's registers, written from ``rtl/registers.py`` by ``tests/rtl/driver/test_registers.py``."""

IDENTITY = 0x46535731
"""What the register ID reads."""

ADDRESS = {
    "ID": 0x00,
    "SHAPE": 0x04,
    "CTRL": 0x08,
    "STATUS": 0x0C,
    "IRQ_ENABLE": 0x10,
    "IRQ_STATUS": 0x14,
    "PROG_ADDR": 0x18,
    "PROG_BEATS": 0x1C,
    "BASE_0": 0x20,
    "BASE_1": 0x24,
    "BASE_2": 0x28,
    "BASE_3": 0x2C,
    "PORTS": 0x30,
    "ERROR_COMMAND": 0x34,
    "WATCHDOG": 0x38,
    "BUS": 0x3C,
    "CYCLES": 0x40,
    "COMMANDS": 0x44,
    "BUSY_LOAD_ACT": 0x48,
    "BUSY_LOAD_WGT": 0x4C,
    "BUSY_FEED": 0x50,
    "BUSY_RUN": 0x54,
    "BUSY_STORE": 0x58,
    "BEATS_PROG": 0x5C,
    "BEATS_WGT": 0x60,
    "BEATS_ACT": 0x64,
    "BEATS_B": 0x68,
    "BEATS_OUT": 0x6C,
    "PASSES": 0x70,
    "WAIT_SB": 0x74,
    "WAIT_WEIGHTS": 0x78,
    "WAIT_OUT": 0x7C,
    "WGT_BASE_0": 0x80,
    "WGT_BASE_1": 0x84,
    "WGT_BASE_2": 0x88,
    "WGT_BASE_3": 0x8C,
}
"""Byte offset of each register in ``s_axi_ctrl``."""

FIELDS = {
    "SHAPE": {"kp": (0, 8), "cp": (8, 8), "beat_bytes": (16, 16)},
    "CTRL": {"start": (0, 1), "reset": (1, 1)},
    "STATUS": {"busy": (0, 1), "done": (1, 1), "error": (2, 1), "resetting": (3, 1), "broken": (4, 1), "code": (8, 8)},
    "PORTS": {"stripes": (0, 8), "pixels": (8, 8), "weight_stripes": (16, 8)},
    "BUS": {
        "broke_prog": (0, 1),
        "broke_wgt": (1, 4),
        "broke_act": (5, 4),
        "broke_out": (9, 4),
        "waits_prog": (16, 1),
        "waits_wgt": (17, 4),
        "waits_act": (21, 4),
        "waits_out": (25, 4),
    },
}
"""Lowest bit and width of each field, of registers that have several."""

COUNTERS = (
    "CYCLES",
    "COMMANDS",
    "BUSY_LOAD_ACT",
    "BUSY_LOAD_WGT",
    "BUSY_FEED",
    "BUSY_RUN",
    "BUSY_STORE",
    "BEATS_PROG",
    "BEATS_WGT",
    "BEATS_ACT",
    "BEATS_B",
    "BEATS_OUT",
    "PASSES",
    "WAIT_SB",
    "WAIT_WEIGHTS",
    "WAIT_OUT",
)
"""Registers that count."""

ERRORS = {
    1: ("OPCODE", "unknown opcode"),
    2: ("NO_END", "the Program ended without END, or inside a command"),
    3: ("READ_PROG", "m_axi_prog: SLVERR or DECERR"),
    4: ("READ_WGT", "m_axi_wgt: SLVERR or DECERR"),
    5: ("READ_ACT", "m_axi_act: SLVERR or DECERR"),
    6: ("READ_B", "m_axi_out, reading operand b: SLVERR or DECERR"),
    7: ("WRITE_OUT", "m_axi_out, writing: SLVERR or DECERR"),
    8: ("UNALIGNED", "an address, a stride or PROG_ADDR that is not whole beats; a BASE that is not whole bursts"),
    9: ("RANGE", "a field beyond what the machine has"),
    10: ("STUCK", "nothing has moved for WATCHDOG cycles"),
    11: ("RESIDUAL", "the Program has ended and left tokens, or words of a STORE, that the next would find"),
    12: ("PROTOCOL_PROG", "m_axi_prog: a beat nobody asked for, RLAST early or missing, or EXOKAY"),
    13: ("PROTOCOL_WGT", "m_axi_wgt: a beat nobody asked for, RLAST early or missing, or EXOKAY"),
    14: ("PROTOCOL_ACT", "m_axi_act: a beat nobody asked for, RLAST early or missing, or EXOKAY"),
    15: ("PROTOCOL_B", "m_axi_out, reading operand b: a beat nobody asked for, RLAST early or missing, or EXOKAY"),
    16: ("PROTOCOL_OUT", "m_axi_out, writing: a response to no burst, or EXOKAY"),
}
"""Name and meaning of the error codes of STATUS."""

UNIT_ERRORS = (4, 5, 6, 7)
"""Codes of units: the Program goes on to its end. After any other only a reset helps."""
