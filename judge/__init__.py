"""Answers into verdicts into pairs, and how far a judge can be trusted with that."""

from judge.calibration.command import calibrate
from judge.calibration.config import CalibrateConfig
from judge.command import judge
from judge.comparison.command import WinrateConfig, winrate
from judge.config import JudgeConfig

__all__ = ["CalibrateConfig", "JudgeConfig", "WinrateConfig", "calibrate", "judge", "winrate"]
