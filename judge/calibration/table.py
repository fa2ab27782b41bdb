"""The table of a calibration on a terminal."""

from rich.table import Table

from judge.calibration.calibration import Calibration
from pairwright.figures.intervals import Rate


def calibration_table(calibration: Calibration) -> Table:
    """Return every number with its interval, the baseline beside the judge, and the verdict below."""
    table = Table(
        "measure", "value", "95 % interval", "of", title="calibration", caption=calibration.verdict
    )
    for name, rate in _rates(calibration).items():
        if rate is not None:
            table.add_row(name, *_cells(rate))
    for subset, beside in calibration.by_value.items():
        table.add_row(f"agreement, {subset}", *_cells(beside.agreement))
        table.add_row("… of taking the longer answer", *_cells(beside.longest))
    for change, effect in calibration.by_perturbation.items():
        mean, low, high = effect.shift
        table.add_row(f"verdicts that {change} turns", *_cells(effect.turned))
        table.add_row("… mean change of the probability", f"{mean:+.3f}", f"{low:+.3f} – {high:+.3f}", "")
    if calibration.kappa is not None:
        value, low, high = calibration.kappa
        table.add_row("Cohen's kappa", f"{value:.2f}", f"{low:.2f} – {high:.2f}", "")
    numbers = {
        f"calibration error (ECE, {calibration.bins} bins)": calibration.calibration_error,
        "mass outside the labels": calibration.outside_mass,
    }
    for name, number in numbers.items():
        table.add_row(name, "–" if number is None else f"{number:.3f}", "", "")
    return table


def _rates(c: Calibration) -> dict[str, Rate | None]:
    return {
        "agreement": c.agreement,
        "… of taking the longer answer": c.longest,
        "… on consistent pairs": c.agreement_when_consistent,
        "… on pairs it would keep": c.agreement_when_kept,
        "swap consistency": c.consistent,
        "pairs it would keep": c.kept,
        "first position preferred": c.first_position,
        "longer answer preferred": c.longer_preferred,
        "unparsed": c.unparsed,
        "attacks that win a pair": c.attack_success,
        "attacks that win a verdict": c.attack_success_per_verdict,
    }


def _cells(rate: Rate) -> tuple[str, str, str]:
    if rate.value is None:
        return "–", "", "0"
    return f"{rate.value:.1%}", f"{rate.low:.1%} – {rate.high:.1%}", f"{rate.n:,}"
