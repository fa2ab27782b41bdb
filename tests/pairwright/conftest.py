"""Runs that several rooms draw figures of."""

from pathlib import Path

import pytest
from planted_judge import candidates, chance, choosing, plant, seed
from runs_on_disk import write_jsonl

from judge.calibration.command import calibrate
from judge.calibration.config import CalibrateConfig
from judge.calibration.stage import CalibrateStage


@pytest.fixture(scope="session")
def calibration(tmp_path_factory) -> Path:
    """A judge that is mostly right and mostly takes the first, measured on 120 pairs."""
    folder = tmp_path_factory.mktemp("calibration")
    labelled = write_jsonl(
        folder / "labelled.jsonl",
        [
            {
                "prompt": f"Q{n}?",
                "chosen": f"The right answer to {n}.",
                "rejected": f"A wrong answer to {n}.",
            }
            for n in range(120)
        ],
    )
    config = CalibrateConfig(
        input=str(labelled), out=str(folder / "run"), judge=f"canned:{seed(folder / 'judge.jsonl')}"
    )
    plant(
        folder / "judge.jsonl",
        CalibrateStage(config),
        candidates(labelled),
        lambda request: choosing(
            lambda asked: asked.first.startswith("The right") or chance(asked.text) < 0.4,
            sure=0.6 + 0.3 * chance(request.messages[-1].content),
        )(request),
    )
    calibrate(config)
    return folder / "run"
