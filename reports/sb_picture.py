"""Where the tensors of a SubNet lie in the SB while it runs: words over layers, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.timing.rows import TO_BOTH
from mapper.lowering.placement import Layout, Placement
from mapper.workload.fusion import Step
from reports.canvas import bytes_formatter, drawing, new_figure, picture_bytes, place
from reports.colours import MUTED, PAPER, SUBNETS, WITHOUT, Colour

SIZE_PX = (1100, 460)
KINDS: dict[str, Colour] = {"windows": SUBNETS[0], "skewed windows": SUBNETS[2], "pointwise": SUBNETS[1]}


def kind_of(layout: Layout) -> str:
    """A layout in words.

    >>> kind_of(Layout(pointwise=True, skew=False, row_step=1, group_step=1, words=1))
    'pointwise'
    """
    return "pointwise" if layout.pointwise else "skewed windows" if layout.skew else "windows"


def sb_picture(steps: Sequence[Step], placement: Placement, accelerator: Accelerator, title: str, path: Path) -> bytes:
    """The picture as PNG, SVG or PDF.

    A tensor is a box from the layer that makes it to the last one that reads it. Hatched ones are in DRAM, too. Grey
    ones are places to which a layer loads its input, tile by tile.

    Parameters
    ----------
    steps : of the SubNet, in order of execution.
    placement : of its tensors.
    accelerator : that runs it.
    title : above the picture.
    path : whose ending says which format.
    """
    from matplotlib.patches import Patch, Rectangle
    from matplotlib.ticker import FuncFormatter

    word, (width, height) = TAPS * accelerator.cp, SIZE_PX
    whole = 2 * accelerator.sb_half_words * word
    with drawing("sb-picture", size=10):
        figure = new_figure(width, height, dpi=100)
        axes = place(figure, 70, 40, width - 300, height - 95)
        for number, region in placement.regions.items():
            hatch = "///" if placement.outputs[number] == TO_BOTH else ""
            colour = KINDS[kind_of(region.layout)].light
            at, size = (number, region.base * word), (region.last - number + 1, region.layout.words * word)
            axes.add_patch(Rectangle(at, *size, facecolor=colour, edgecolor=PAPER.light, hatch=hatch, linewidth=0.8))
        for number, loads in placement.loads.items():
            for base in loads.bases:
                at, size = (number, base * word), (1, loads.room * word)
                axes.add_patch(Rectangle(at, *size, facecolor=WITHOUT.light, edgecolor=PAPER.light, linewidth=0.8))
        axes.set_xlim(0, len(steps))
        axes.set_ylim(0, whole)
        axes.yaxis.set_major_formatter(FuncFormatter(bytes_formatter(whole)))
        axes.set_xlabel(f"layers in order of execution, {steps[0].layer.name} to {steps[-1].layer.name}")
        axes.set_ylabel("SB")
        axes.set_title(title, loc="left")
        used = {kind_of(region.layout) for region in placement.regions.values()}
        shown = [Patch(color=colour.light, label=name) for name, colour in KINDS.items() if name in used]
        shown.append(Patch(facecolor=MUTED.light, hatch="///", edgecolor=PAPER.light, label="in DRAM, too"))
        shown.append(Patch(color=WITHOUT.light, label="input, loaded in tiles"))
        axes.legend(handles=shown, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
        return picture_bytes(figure, path, facecolor=PAPER.light)
