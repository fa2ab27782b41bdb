"""Charts, drawn by matplotlib: SVG that takes its colours from the page, and pictures of several panels.

A chart is drawn in placeholder colours, which then become the page's variables, so that it follows
the page from light to dark. It holds no script, no style attribute and no date.
"""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pairwright.records import content_hash

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import Locator

_COLOURS = {
    "ink": "#010101",
    "faint": "#020202",
    "accent": "#030303",
    "chosen": "#040404",
    "rejected": "#050505",
    "third": "#060606",
}
"""Names of the page's variables, and what matplotlib is given for them."""
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_MOST_POINTS = 300


class Line(NamedTuple):
    """A line of a chart."""

    label: str
    steps: Sequence[float]
    values: Sequence[float | None]
    colour: str = "accent"
    dashed: bool = False


def histogram(edges: Sequence[float], shares: Sequence[float], *, top: float, median: float) -> str:
    """Draw bars over fixed bins up to `top`, the same in every chart beside it, and where the median is."""
    with _figure(3.3, 1.5) as (axes, done):
        width = edges[1] - edges[0]
        axes.bar(edges[:-1], shares, width=width * 0.86, align="edge", color=_COLOURS["accent"])
        at = min(max(median, edges[0]), edges[-1])
        axes.axvline(at, color=_COLOURS["ink"], linewidth=1, linestyle=(0, (2, 2)))
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(0, top * 1.08 or 1)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.yaxis.set_major_locator(_few_ticks(3))
        axes.xaxis.set_major_locator(_few_ticks(5))
    return done[0]


def lines(found: Sequence[Line], *, limits: tuple[float, float], ends: tuple[float, float]) -> str:
    """Return lines over updates or rounds, within limits that charts beside it share."""
    with _figure(3.3, 1.7) as (axes, done):
        for line in found:
            steps, values = thinned(line.steps, line.values)
            axes.plot(
                steps,
                [float("nan") if v is None else v for v in values],
                color=_COLOURS[line.colour],
                linewidth=1.8 if line.dashed else 1.2,
                linestyle=(0, (2, 1.2)) if line.dashed else "solid",
                marker="o" if line.dashed or len(steps) < 12 else None,
                markersize=3.2,
            )
        low, high = limits
        room = (high - low) * 0.07 or abs(high) * 0.1 or 0.1
        axes.set_ylim(low - room, high + room)
        span = (ends[1] - ends[0]) * 0.03 or 0.5
        axes.set_xlim(ends[0] - span, ends[1] + span)
        if low < 0 < high:
            axes.axhline(0, color=_COLOURS["faint"], linewidth=0.8, zorder=0)
        axes.yaxis.set_major_locator(_few_ticks(4))
        axes.xaxis.set_major_locator(_few_ticks(5, whole=True))
    return done[0]


def reliability(points: Sequence[tuple[float, float, int]]) -> str:
    """Draw accuracy over confidence, (confidence, accuracy, rows) a bin; the diagonal is calibrated."""
    with _figure(3.3, 2.6) as (axes, done):
        axes.plot([0.5, 1], [0.5, 1], color=_COLOURS["faint"], linewidth=1)
        most = max(rows for _, _, rows in points)
        axes.plot(
            [c for c, _, _ in points], [a for _, a, _ in points], color=_COLOURS["accent"], linewidth=1.2
        )
        axes.scatter(
            [c for c, _, _ in points],
            [a for _, a, _ in points],
            s=[12 + 80 * rows / most for _, _, rows in points],
            color=_COLOURS["accent"],
            linewidths=0,
            zorder=3,
        )
        axes.set_xlim(0.48, 1.02)
        axes.set_ylim(-0.04, 1.04)
        axes.set_xlabel("confidence of the verdict")
        axes.set_ylabel("share that is right")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return done[0]


def thinned(
    steps: Sequence[float], values: Sequence[float | None]
) -> tuple[Sequence[float], Sequence[float | None]]:
    """Draw at most `_MOST_POINTS` points: where there are more, means of neighbours."""
    size = -(-len(steps) // _MOST_POINTS)
    if size <= 1:
        return steps, values
    starts = range(0, len(steps), size)
    means = [[v for v in values[i : i + size] if v is not None] for i in starts]
    return [steps[min(i + size, len(steps)) - 1] for i in starts], [
        sum(found) / len(found) if found else None for found in means
    ]


@contextmanager
def picture(
    path: Path, size: tuple[float, float], rows: int, columns: int, **margins: float
) -> Iterator[list["Axes"]]:
    """Give panels to draw on, row by row; when the block ends, they are a PNG at `path`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    figure.subplots_adjust(**margins)
    yield panels
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": ""})


@contextmanager
def picture_of_rounds(
    path: Path, rounds: Sequence[int], *, left: float, wspace: float
) -> Iterator[list["Axes"]]:
    """Give the four panels of a picture whose axes are rounds; lines with labels get a legend."""
    room = {"left": left, "right": 0.98, "bottom": 0.08, "top": 0.95, "hspace": 0.35, "wspace": wspace}
    with picture(path, (10, 6), 2, 2, **room) as panels:
        yield panels
        for axes in panels:
            axes.set_xlabel("round")
            axes.set_xticks(rounds)
            if axes.get_legend_handles_labels()[1]:
                axes.legend(frameon=False, fontsize=7)


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple["Axes", list[str]]]:
    """Axes to draw on; when the block ends, the list holds their SVG."""
    from matplotlib import style
    from matplotlib.figure import Figure

    done: list[str] = []
    with style.context(Path(__file__).with_suffix(".mplstyle")):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure.add_subplot(), done
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
        done.append(_inlined(file.getvalue().decode()))


def _few_ticks(most: int, *, whole: bool = False) -> "Locator":
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(most, integer=whole, steps=[1, 2, 5, 10])


def _inlined(svg: str) -> str:
    """The drawing as part of a page: variables for colours, attributes for styles, ids of its own."""
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(svg)
    for parent in root.iter():
        for child in [c for c in parent if c.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style")]:
            parent.remove(child)
    # Clip paths and markers are referred to by id, and the page holds many charts.
    own = content_hash(svg)[:6]
    referred = set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", svg))
    kept = {name for pair in referred for name in pair if name}
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in kept:
            element.set("id", f"{own}{name}")
        _unstyle(element)
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    text = ET.tostring(root, encoding="unicode")
    text = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{own}", text)
    for name, colour in _COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    return re.sub(r"\s*\n\s*", " ", text)


def _unstyle(element: ET.Element) -> None:
    """Turn a style attribute into presentation attributes, which the page's policy allows."""
    style = element.attrib.pop("style", "")
    for name, value in _declarations(style).items():
        if name == "font" or name.startswith("font-family"):
            continue
        element.set(name, value)
    if element.tag == f"{{{_SVG}}}text":
        element.set("font-size", "8")


def _declarations(style: str) -> Mapping[str, str]:
    pairs = (part.split(":", 1) for part in style.split(";") if ":" in part)
    return {name.strip(): value.strip() for name, value in pairs}
