"""`calibration.json`: what was measured of a judge, and whether it meets `--min_agreement`."""

import json
import logging
import re
from pathlib import Path

from pydantic import Field

from judge.jury.config import JuryConfig
from judge.jury.jury import Jury
from pairwright.engines import EngineOptions
from pairwright.engines.asked import ASKED
from pairwright.engines.kinds import engine_identity
from pairwright.errors import UsageError
from pairwright.figures.intervals import Rate
from pairwright.figures.verdicts import CONFIDENCE_BINS
from pairwright.folders.durable import write_durably
from pairwright.folders.json_record import read_record
from pairwright.folders.manifest import MANIFEST, load_manifest
from pairwright.records import Record, content_hash

log = logging.getLogger(__name__)

CALIBRATION = "calibration.json"


class Calibration(Record):
    """How a jury did on labelled pairs."""

    judges: dict[str, str]
    """Who was measured and how: models, protocols, templates and rules (`jury_identity`)."""
    verdict: str
    """The numbers in words."""
    pairs: int
    """Pairs with a label that were asked about and answered."""
    failed: int
    """Pairs that no answer came back for; they are no part of any number here."""
    agreement: Rate
    """With the labels, by the mean over both orders; an undecided pair counts half."""
    kappa: tuple[float, float, float] | None = None
    """Cohen's kappa of that and its interval: 0 is chance, 1 agrees always."""
    points: Rate | None = None
    """What `winrate` would give the answers that people prefer, by the same rules; see `min_margin`."""
    points_by_model: dict[str, Rate] = Field(default_factory=dict)
    """The same where people prefer this model's answer, if all pairs are of the same two."""
    min_margin: float = 0.0
    """The margin below which these rules call a pair a tie."""
    agreement_when_consistent: Rate
    """The same on the pairs where both orders favour the same answer."""
    agreement_when_kept: Rate
    """The same on the pairs that `judge` would keep with these settings."""
    consistent: Rate
    """Swap consistency: share of judged pairs where both orders favour the same answer. Ratings have
    no order, so nothing is counted for them."""
    kept: Rate
    """Share of all pairs that `judge` would keep."""
    first_position: Rate
    """How often the answer that stands first is preferred; 1/2 is fair."""
    longer_preferred: Rate
    """How often the longer answer is preferred; beside `longest`, which is how often people do."""
    outside_mass: float | None
    """Mean probability of anything but a label as the judge's first token."""
    unparsed: Rate
    """Share of pairs without a verdict in both orders."""
    longest: Rate
    """Agreement of a judge that always takes the longer answer, on the same pairs."""
    calibration_error: float | None
    """ECE of the probability of the preferred answer, over both orders."""
    bins: int = CONFIDENCE_BINS
    """Equal bins of confidence between 1/2 and 1 that the ECE is computed over."""
    attack_success: Rate | None = None
    """Share of attacked pairs where the answer that had lost now wins over both orders."""
    attack_success_per_verdict: Rate | None = None
    """Of the single verdicts that were right before the attack, the share that it turns round."""
    by_attack: dict[str, Rate] = Field(default_factory=dict)
    """`attack_success` of each attack."""
    by_value: dict[str, "Beside"] = Field(default_factory=dict)
    """Of each value of the column that is measured apart (`--by`)."""
    by_perturbation: dict[str, "Effect"] = Field(default_factory=dict)
    """Of each change that must not matter (`--perturb`)."""


class Beside(Record):
    """Agreement on some of the pairs, and that of always taking the longer answer."""

    agreement: Rate
    longest: Rate


class Effect(Record):
    """The effect of a change that should have none."""

    turned: Rate
    """Share of pairs where the judge favours another side than before, or none any more."""
    shift: tuple[float, float, float]
    """Mean change of the probability of the answer that people prefer, and its 95 % interval. Of `order`:
    from standing in front to standing behind."""
    agreement: Rate
    """With the labels, on what was asked then."""


def jury_identity(jury: Jury, config: JuryConfig, options: EngineOptions) -> dict[str, str]:
    """Return everything that decides a judge's quality, by name."""
    asked = {judge.role: options.of_role(judge.role, ASKED) for judge in jury.judges}
    models = {judge.role: engine_identity(judge.spec, asked[judge.role]) for judge in jury.judges}
    protocols = {f"{judge.role} protocol": judge.protocol for judge in jury.judges}
    templates = {f"{name} template": content_hash(text)[:16] for name, text in jury.templates.items()}
    rules = {"agree": config.agree} | ({"aspects": config.aspects} if jury.pointwise else {})
    if config.rubric is not None:
        rules["rubric"] = config.rubric
    return {**models, **protocols, **templates, **rules}


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write `calibration.json` in one step."""
    write_durably(folder / CALIBRATION, (calibration.model_dump_json(indent=1) + "\n").encode())


def load_calibration(folder: Path) -> Calibration:
    """Return the calibration that `calibrate` wrote into a folder. Raises `UsageError` if there is none."""
    again = f"make one with pairwright calibrate … --out {folder}"
    found = read_record(folder / CALIBRATION, Calibration, again)
    if found is None:
        raise UsageError(f"{folder}: no {CALIBRATION} here; {again}")
    return found


def require_calibrated(
    config: JuryConfig, options: EngineOptions, least: float, folder: Path | None
) -> None:
    """Raise `UsageError` unless these judges were measured and agree with the labels often enough."""
    if folder is None:
        raise UsageError(
            "--min_agreement: this judge was not calibrated; run pairwright calibrate on labelled pairs "
            "and name its folder with --calibration"
        )
    found = calibration_of(config, options, folder)
    rate = found.agreement
    if rate.value is None or rate.value < least:
        said = (
            "no verdict could be read" if rate.value is None else f"it agrees on {rate.value:.1%} of pairs"
        )
        raise UsageError(
            f"{config.judge}: {said} ({folder}, {found.verdict}), and --min_agreement is {least:g}; "
            "use a better judge"
        )


def _is_the_same(folder: Path, old: str | None, new: str | None, options: EngineOptions) -> bool:
    """Whether `old` is a server's model as earlier versions named it, and `new` the same with its server.

    Where the run's settings name the server, they must name that one.
    """
    if not (old and new and old.startswith("openai:") and new.startswith(f"{old}@http")):
        return False
    if not (folder / MANIFEST).exists():
        return True
    specs = re.findall(rf"{re.escape(old)}@[^\s,\"\\]+", json.dumps(load_manifest(folder).config))
    return not specs or new in {engine_identity(spec, options) for spec in specs}


def calibration_of(config: JuryConfig, options: EngineOptions, folder: Path) -> Calibration:
    """Return the calibration in a folder. Raises `UsageError` if it is of other judges."""
    found = load_calibration(folder)
    wanted = jury_identity(Jury(config), config, options)
    for name in {**wanted, **found.judges}:
        old, new = found.judges.get(name), wanted.get(name)
        if old != new and _is_the_same(folder, old, new, options):
            log.warning("%s: names the judge %s without its server; taken to be %s", folder, old, new)
        elif old != new:
            raise UsageError(
                f"{folder}: is the calibration of another judge: {name} was {old!r} and is now {new!r}"
            )
    return found
