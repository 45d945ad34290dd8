"""The only place that knows how matplotlib writes files: inline SVG for a page, PNG for a README, what a user names.

A plot is drawn with the light values of :mod:`reports.colours`; in the SVG they become CSS variables, so that
the page's stylesheet chooses between light and dark.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arch_model.errors import FastSwitchError
from arch_model.files.shown import plain
from arch_model.files.writing import write_whole
from reports.colours import ALL, GRID, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAGE_DPI = 96
"""Pixels an inch on a page; sizes of figures are given in CSS pixels."""

_VARIABLE = {colour.light: f"var(--{colour.name})" for colour in ALL}


def require_matplotlib() -> None:
    """Refuse if matplotlib is not installed.

    Raises
    ------
    FastSwitchError
        One line that says how to get it.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise FastSwitchError(
            "plots need matplotlib, which is not installed: pip install 'fastswitch[report]'"
        ) from None


@contextlib.contextmanager
def drawing(name: str, size: float = 9) -> Iterator[None]:
    """Within it figures are made and saved with repeatable output.

    The user's own matplotlib settings do not apply and stay as they are.

    Parameters
    ----------
    name : salts the identifiers in an SVG.
    size : of text, in points.
    """
    require_matplotlib()
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": name,
                "text.parse_math": False,
                "font.size": size,
                "axes.titlesize": size,
                "axes.labelsize": size,
                "xtick.labelsize": size,
                "ytick.labelsize": size,
                "text.color": INK.light,
                "axes.labelcolor": MUTED.light,
                "axes.edgecolor": MUTED.light,
                "axes.linewidth": 0.7,
                "axes.facecolor": "none",
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.axisbelow": True,
                "grid.color": GRID.light,
                "grid.linewidth": 0.7,
                "xtick.color": MUTED.light,
                "ytick.color": MUTED.light,
                "xtick.major.size": 3,
                "ytick.major.size": 0,
                "figure.facecolor": "none",
                "hatch.color": "#fefefe",
                "hatch.linewidth": 1.2,
            }
        )
        yield


def new_figure(width_px: float, height_px: float, dpi: float = PAGE_DPI) -> Figure:
    """An empty figure.

    Parameters
    ----------
    width_px, height_px : its size in pixels.
    dpi : pixels of an inch.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width_px / dpi, height_px / dpi), dpi=dpi)


def place(figure: Figure, left: float, top: float, width: float, height: float, **options: Any) -> Axes:
    """Axes in a rectangle of a figure.

    Parameters
    ----------
    figure : the figure.
    left, top, width, height : pixels, from the figure's top left corner.
    options : of matplotlib's ``add_axes``.
    """
    wide, high = figure.get_size_inches() * figure.dpi
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high), **options)


def width_px(axes: Axes) -> float:
    """The width of axes in pixels, for choosing labels that fit."""
    return float(axes.bbox.width)


def height_px(axes: Axes) -> float:
    """The height of axes in pixels."""
    return float(axes.bbox.height)


def bytes_formatter(most: float) -> Callable[[float, float], str]:
    """How to write bytes along an axis that reaches ``most``.

    >>> bytes_formatter(5e4)(20_000, 0), bytes_formatter(900)(20, 0), bytes_formatter(3e6)(1_500_000, 0)
    ('20 kB', '20', '1.5 MB')
    """
    unit, name = (1e6, " MB") if most >= 2e6 else (1e3, " kB") if most >= 2e3 else (1, "")
    return lambda value, _: f"{value / unit:g}{name if value else ''}"


def font_size() -> float:
    """Points of the text that :func:`drawing` chose."""
    import matplotlib

    return float(matplotlib.rcParams["font.size"])


def text_px(text: str, figure: Figure, size: float) -> float:
    """Width of a text in pixels, generously: 0.6 em a character.

    Parameters
    ----------
    text : the text.
    figure : where it will be.
    size : points.
    """
    return len(text) * 0.6 * size * figure.dpi / 72


def to_svg(figure: Figure, name: str, description: str, titles: Mapping[str, str] | None = None) -> str:
    """The figure as an ``<svg>`` element to put in a page: no prologue, no namespace, no address, text as text.

    Equal figures give equal text.

    Parameters
    ----------
    figure : the figure.
    name : begins its identifiers, so that several may live in one page.
    description : for readers who do not see it.
    titles : by an artist's gid, a text that shows when the pointer rests on it.

    Raises
    ------
    AssertionError
        Matplotlib wrote no viewBox.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.S)  # its * is the whole page
    view = re.search(r'viewBox="([^"]+)"', svg)
    if view is None:
        raise AssertionError("matplotlib wrote an SVG without a viewBox")
    head = f'<svg viewBox="{view[1]}" role="img" aria-label="{escape(description)}">'
    svg = head + svg[svg.index(">") + 1 :]
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r'style="([^"]*)"', lambda style: f'style="{_restyled(style[1])}"', svg)
    for gid, text in (titles or {}).items():
        mark = f'<g id="{name}-{gid}">'
        svg = svg.replace(mark, f"{mark}<title>{escape(text)}</title>")
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


PICTURES = (".png", ".svg", ".pdf")
"""What a picture's file can be, by the end of its name."""


def check_picture(path: Path) -> None:
    """Refuse a picture whose name does not say what it shall be.

    Raises
    ------
    FastSwitchError
        The name ends in none of :data:`PICTURES`.

    Examples
    --------
    >>> check_picture(Path("timeline.svg"))
    """
    if path.suffix.lower() not in PICTURES:
        raise FastSwitchError(f"picture {plain(str(path))}: give a name that ends in {', '.join(PICTURES)}")


def save_picture(figure: Figure, path: Path, **options: Any) -> None:
    """Write a figure as :func:`picture_bytes` gives it, replacing what is there.

    Parameters
    ----------
    figure : the figure.
    path : the file.
    options : of matplotlib's ``savefig``.
    """
    write_whole(path, picture_bytes(figure, path, **options))


def picture_bytes(figure: Figure, path: Path, **options: Any) -> bytes:
    """A figure as PNG, SVG or PDF; the same figure gives the same bytes.

    Parameters
    ----------
    figure : the figure.
    path : whose ending says which.
    options : of matplotlib's ``savefig``.
    """
    check_picture(path)
    kind = path.suffix.lower().removeprefix(".")
    nothing = {"png": ("Software",), "svg": ("Creator", "Date", "Format", "Type"), "pdf": ("Creator", "CreationDate")}
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, metadata=dict.fromkeys(nothing[kind]), **options)
    return picture.getvalue()


def _restyled(style: str) -> str:
    style = re.sub(r"\s*font-family:[^;]*;?", "", style)  # the page's
    style = re.sub(r"(?<=font: )([\d.]+px)[^;]*", r"\1 sans-serif", style)
    return re.sub(r"#[0-9a-f]{6}\b", lambda colour: _VARIABLE.get(colour[0], colour[0]), style)
