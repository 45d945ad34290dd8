"""What the AXI4 master ports of a machine are called."""

from __future__ import annotations


def port_names(name: str, stripes: int) -> list[str]:
    """The ports that have the stripes of one purpose.

    Parameters
    ----------
    name : of the purpose: prog, wgt, act or out.
    stripes : ports of it.

    Examples
    --------
    >>> port_names("wgt", 1), port_names("wgt", 2)
    (['m_axi_wgt'], ['m_axi_wgt0', 'm_axi_wgt1'])
    """
    return [f"m_axi_{name}"] if stripes == 1 else [f"m_axi_{name}{i}" for i in range(stripes)]


def master_names(stripes: int, weight_stripes: int) -> list[str]:
    """All master ports; those of ``out`` read as well as write.

    Parameters
    ----------
    stripes : ports that activations and results have each.
    weight_stripes : ports that weights have.

    Examples
    --------
    >>> master_names(1, 2)
    ['m_axi_prog', 'm_axi_wgt0', 'm_axi_wgt1', 'm_axi_act', 'm_axi_out']
    """
    counts = {"prog": 1, "wgt": weight_stripes, "act": stripes, "out": stripes}
    return [port for name, count in counts.items() for port in port_names(name, count)]
