"""`pairwright calibrate`: how well a judge agrees with labels."""

from pathlib import Path

from rich.console import Console

from judge.calibration.calibration import jury_identity, write_calibration
from judge.calibration.config import CalibrateConfig
from judge.calibration.measures import measured
from judge.calibration.stage import CalibrateStage
from judge.calibration.suites import SUBSET, LLMBar
from judge.calibration.table import calibration_table
from pairwright.folders.manifest import Manifest
from pairwright.folders.shards import PARTS, read_tables
from pairwright.inputs.candidates import Candidates
from pairwright.reports.card import write_card
from pairwright.stages.run import run_stage


def calibrate(config: CalibrateConfig) -> Manifest | None:
    """Judge every labelled pair, write `calibration.json` into the run folder, and print it.

    Returns the finished run's manifest; None after `preview` or `dry_run`.
    """
    if config.suite is not None and config.by is None:
        config = config.model_copy(update={"by": SUBSET})
    stage = CalibrateStage(config)
    reader = Candidates if config.suite is None else LLMBar
    manifest = run_stage(stage, config, reader, run=config, budget=config)
    if manifest is None:
        return None
    folder = Path(config.out)
    tables = (table for part in PARTS for table in read_tables(folder, part))
    judges = jury_identity(stage.jury, config, config)
    calibration = measured(tables, judges, config.min_margin, config.by)
    write_calibration(folder, calibration)
    write_card(folder, manifest)
    Console().print(calibration_table(calibration))
    return manifest
