"""A table of the proof as people read it: Markdown, and gain against leak as a plot."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from arms import Arm
from measures import Measured


class Line(NamedTuple):
    """What came of an arm."""

    arm: Arm
    count: int
    """Pairs that it trained on."""
    ifeval: Measured
    held_out: Measured


def as_markdown(lines: Sequence[Line]) -> str:
    """The table, an arm a line."""
    text = [
        "| pairs | loss | trained on | seeds | IFEval before → after | gain (95 %) | held out, gain (95 %) "
        "| worst leak | says something | words | ended | distinct |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for arm, count, m, held_out in lines:
        cells = (
            " + ".join(arm.pairs),
            arm.loss,
            f"{count:,}",
            f"{m.seeds}",
            f"{m.before:.1%} → {m.after:.1%}",
            _gain(m),
            _gain(held_out),
            f"{100 * m.worst_leak:+.1f} ({m.leaked})",
            " → ".join(f"{share:.0%}" for share in m.said),
            f"×{m.words:.2f}",
            f"{m.ended:.0%}",
            f"×{m.distinct:.2f}",
        )
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text) + "\n"


def _gain(m: Measured) -> str:
    return f"**{100 * m.gain:+.1f}** ({100 * m.low:+.1f} to {100 * m.high:+.1f})"


def plot(lines: Sequence[Line], file: Path) -> None:
    """Gain against leak: what is good stands to the right and low."""
    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for arm, _, m, _ in lines:
        x, y = 100 * m.gain, 100 * m.worst_leak
        axes.errorbar(x, y, xerr=[[x - 100 * m.low], [100 * m.high - x]], fmt="o", capsize=3)
        axes.annotate(arm.name, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
    axes.set(xlabel="gain on IFEval, points (95 %)", ylabel="largest leak of a form, points")
    figure.tight_layout()
    figure.savefig(file, dpi=150)
    plt.close(figure)
