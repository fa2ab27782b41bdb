"""A table of the proof as people read it: Markdown, and gain against leak as a plot."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pyarrow as pa
from arms import Arm
from good import GOOD
from measures import Gain, Measured
from played import Played


class Line(NamedTuple):
    """What came of an arm."""

    arm: Arm | Played
    count: int
    """Pairs that it trained on."""
    found: Sequence[Measured]
    """On the prompts that have the gain, and on others."""
    over_control: tuple[Gain, Gain] | None
    """Beside the first arm of the table: what passes, and what passes and says something."""
    sides: tuple[float, float]
    """Log-ratio of chosen and of rejected answers that were left out of training, in nats."""
    good: tuple[float, float]
    """Log-likelihood of a token of other people's good answers, before and after, in nats."""


def as_markdown(lines: Sequence[Line], names: Sequence[str], control: str) -> str:
    """The table, an arm a line; `names` of the evaluations."""
    first, *others = names
    titles = (
        *("pairs", "loss", "trained on", f"{first}, before → after", "gain (95 %)", "by seed"),
        *(("single instructions",) if lines[0].found[0].instructions else ()),
        *(f"beside {control}", "unasked form", "worst leak"),
        *(title for name in others for title in (f"{name}, gain", "unasked form there")),
        *(
            "passes and says something",
            f"the same beside {control}",
            "says something",
            "words",
            "words, both ended",
            "ended",
            "distinct",
            "chosen, rejected",
            "good answers, nats a token",
        ),
    )
    text = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for line in lines:
        m, *elsewhere = line.found
        cells = (
            line.arm.data,
            line.arm.loss,
            f"{line.count:,}" if line.count else "–",
            f"{m.gain.before:.1%} → {m.gain.after:.1%}",
            f"{m.gain}",
            ", ".join(f"{100 * gain.gain:+.1f}" for gain in m.by_seed),
            *((f"{m.instructions}",) if m.instructions else ()),
            f"{line.over_control[0]}" if line.over_control else "–",
            _sides(m.stray),
            f"{100 * m.worst_leak:+.1f} ({m.leaked})",
            *(cell for there in elsewhere for cell in (f"{there.gain}", _sides(there.stray))),
            f"{m.meant}",
            f"{line.over_control[1]}" if line.over_control else "–",
            _sides(m.said),
            f"×{m.words:.2f}",
            "–" if np.isnan(m.words_where_ended) else f"×{m.words_where_ended:.2f}",
            _sides(m.ended),
            f"×{m.distinct:.2f}",
            "–" if np.isnan(line.sides).any() else ", ".join(f"{value:+.1f}" for value in line.sides),
            "–" if np.isnan(line.good).any() else " → ".join(f"{value:.2f}" for value in line.good),
        )
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text) + "\n"


def of_parts(parts: Mapping[str, pa.Table]) -> str:
    """What pairs are at the ends of their orders, by what each end is called."""
    titles = ("part", "edit distance, median", "normalised CHES, median", "mirrors", "answers", "forms")
    text = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for name, table in parts.items():
        mirrors = sum(source.endswith("_mirrored") for source in table["source"].to_pylist())
        sides = zip(table["chosen"].to_pylist(), table["rejected"].to_pylist(), strict=True)
        answers = {frozenset(map(str, both)) for both in sides}  # a pair and its mirror have the same two
        forms = Counter(table["form"].to_pylist()).most_common() if "form" in table.column_names else ()
        cells = (
            name,
            f"{np.median(table['edit_distance']):.2f}",
            f"{np.median(table['ches_normalized']):+.0f}",
            f"{mirrors} of {table.num_rows}",
            f"{len(answers)} × 2",
            ", ".join(f"{form} {count}" for form, count in forms),
        )
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text) + "\n"


def _sides(both: tuple[float, float]) -> str:
    return " → ".join(f"{share:.0%}" for share in both)


def good(folders: Sequence[Path]) -> tuple[float, float]:
    """Log-likelihoods of other people's good answers, mean over seeds. NaN where none were measured."""
    files = [folders[0].parents[2] / GOOD, *(folder / GOOD for folder in folders)]
    if not all(file.is_file() for file in files):
        return np.nan, np.nan
    before, *after = (float(json.loads(file.read_text())) for file in files)
    return before, float(np.mean(after))


def sides(folders: Sequence[Path], model: str) -> tuple[float, float]:
    """Log-ratios of held-out chosen and rejected answers after training, mean over seeds. NaN for SFT."""
    last = []
    for folder in folders:
        lines = map(json.loads, (folder / model / "metrics.jsonl").read_text().splitlines())
        last.append([row for row in lines if "eval_logratios/chosen" in row][-1:])
    chosen, rejected = (
        float(np.mean([row[f"eval_logratios/{side}"] for rows in last for row in rows] or [np.nan]))
        for side in ("chosen", "rejected")
    )
    return chosen, rejected


def put_in(page: Path, name: str, text: str, image: Path | None = None) -> None:
    """Put a table between its marks in a page, and its plot into a folder of the page's name."""
    marks = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    head, rest = page.read_text(encoding="utf-8").split(marks[0])
    if image is not None:
        stored = page.with_suffix("") / f"{name}.png"
        stored.parent.mkdir(exist_ok=True)
        shutil.copy(image, stored)
        text += f"\n![{name}: gain against unasked forms]({page.stem}/{stored.name})\n"
    page.write_text(f"{head}{marks[0]}{text}{marks[1]}{rest.split(marks[1])[1]}", encoding="utf-8")


def plot(lines: Sequence[Line], name: str, file: Path) -> None:
    """Gain against unasked forms: what is good stands to the right and low."""
    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for line in lines:
        gain, y = line.found[0].gain, 100 * line.found[0].stray[1]
        x = 100 * gain.gain
        axes.errorbar(x, y, xerr=[[x - 100 * gain.low], [100 * gain.high - x]], fmt="o", capsize=3)
        axes.annotate(line.arm.name, (x, y), xytext=(4, 4), textcoords="offset points", fontsize=7)
    axes.axhline(100 * lines[0].found[0].stray[0], color="grey", lw=0.8, ls="--", label="untrained")
    axes.set(xlabel=f"gain, {name}, points (95 %)", ylabel="answers with a form not asked for, %")
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=150)
    plt.close(figure)
