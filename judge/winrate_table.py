"""A win rate as people read it."""

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from judge.win_rates import Estimate
    from judge.winrate import Winrate


def winrate_table(found: "Winrate") -> Table:
    """Both win rates with their intervals, and what they are made of."""
    table = Table("measure", "value", "95 % interval", title="win rate", caption=in_words(found))
    table.add_row("win rate", *_cells(found.win_rate))
    table.add_row("… length-controlled", *_cells(found.length_controlled))
    ties = f"{found.ties} ({found.identical} identical, {found.inconsistent} inconsistent)"
    table.add_row("wins, losses", f"{found.wins}, {found.losses}", "")
    table.add_row("ties", ties, "")
    table.add_row("sign test", f"p = {found.sign_test:.3g}", "")
    table.add_row("mean probability", f"{found.mean_probability:.1%}", "")
    table.add_row("mean length", "{:.0f} against {:.0f} characters".format(*found.mean_lengths), "")
    table.add_row("prompts compared", f"{found.compared} of {found.prompts}", "")
    for status, count in found.dropped.items():
        sides = ", ".join(f"{n} of {side}" for side, n in found.missing.items())
        table.add_row(f"… {status}", f"{count} ({sides})" if status == "missing" else f"{count}", "")
    return table


def in_words(found: "Winrate") -> str:
    """What the numbers come to."""
    if found.win_rate.low > 0.5:
        return f"{found.input} is better than {found.baseline}"
    if found.win_rate.high < 0.5:
        return f"{found.input} is worse than {found.baseline}"
    return f"{found.input} and {found.baseline} cannot be told apart"


def _cells(estimate: "Estimate | None") -> tuple[str, str]:
    if estimate is None:
        return "–", "all lengths differ by the same"
    return f"{estimate.value:.1%}", f"{estimate.low:.1%} – {estimate.high:.1%}"
