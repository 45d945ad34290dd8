"""The Verilog file as it is delivered: Verilog-2001 for any simulator, with what Vivado wants to know of its ports."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version

from arch_model.cost.fit import fit
from arch_model.machine.accelerator import Accelerator
from rtl.generate import verilog
from rtl.handover.ram_styles import styles_by_shape, with_ram_styles
from rtl.port_names import master_names
from rtl.time0_init import with_time0_init


def delivered_verilog(accelerator: Accelerator) -> str:
    """The machine in one file; its top module is ``fastswitch``.

    Where the Accelerator names its device, each memory says which of the device's RAMs it is to be built of.
    """
    text = without_empty_wires(with_time0_init(verilog(accelerator)))
    if accelerator.device is not None:
        text = with_ram_styles(text, styles_by_shape(fit(accelerator, accelerator.device)))
    names = master_names(accelerator.stripes, accelerator.weight_stripes)
    return with_interfaces(headed(text, accelerator), names)


def without_empty_wires(text: str) -> str:
    """The text without wires of no bits, as the address of a memory of one word has: Verilog would give them two.

    >>> without_empty_wires("  wire [-1:0] read_addr;\\n  wire [1:0] data;\\n")
    '  wire [1:0] data;\\n'
    """
    return re.sub(r"^ *wire \[-1:0\] .*;\n", "", text, flags=re.MULTILINE)


def headed(text: str, accelerator: Accelerator) -> str:
    """The text under a line that says what it is.

    Parameters
    ----------
    text : Verilog.
    accelerator : that it describes.
    """
    what = f"accelerator {accelerator.name}, description {accelerator.hash()}, version {version('fastswitch')}"
    device = f" Its RAM styles are for {accelerator.device.part}." if accelerator.device else ""
    return (
        f"// FastSwitch: {what}. MIT licence.\n"
        f"// Verilog-2001; made by a program: change the description.{device}\n{text}"
    )


def with_interfaces(text: str, names: Iterable[str]) -> str:
    """Attributes on clock, reset and interrupt; Vivado finds the AXI ports by their names, and by these their clock.

    Parameters
    ----------
    text : Verilog.
    names : of the AXI master ports.

    Examples
    --------
    >>> print(with_interfaces("  input aclk;\\n  input aresetn;\\n  output irq;\\n", ["m_axi_prog"]))
      (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
      (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axi_ctrl:m_axi_prog, ASSOCIATED_RESET aresetn" *)
      input aclk;
      (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
      (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
      input aresetn;
      (* X_INTERFACE_INFO = "xilinx.com:signal:interrupt:1.0 irq INTERRUPT" *)
      (* X_INTERFACE_PARAMETER = "SENSITIVITY LEVEL_HIGH" *)
      output irq;
    <BLANKLINE>
    """
    buses = ":".join(["s_axi_ctrl", *names])
    for port, info, parameter in (
        ("input aclk", "clock:1.0 aclk CLK", f"ASSOCIATED_BUSIF {buses}, ASSOCIATED_RESET aresetn"),
        ("input aresetn", "reset:1.0 aresetn RST", "POLARITY ACTIVE_LOW"),
        ("output irq", "interrupt:1.0 irq INTERRUPT", "SENSITIVITY LEVEL_HIGH"),
    ):
        attributes = (
            f'  (* X_INTERFACE_INFO = "xilinx.com:signal:{info}" *)\n  (* X_INTERFACE_PARAMETER = "{parameter}" *)\n'
        )
        line = f"  {port};\n"
        at = text.index(line)  # the first is the top module's
        text = text[:at] + attributes + text[at:]
    return text
