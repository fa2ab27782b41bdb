"""Answers into verdicts into pairs, and how far a judge can be trusted with that."""

from judge.calibration.command import CalibrateConfig, calibrate
from judge.command import JudgeConfig, judge
from judge.comparison.command import WinrateConfig, winrate

__all__ = ["CalibrateConfig", "JudgeConfig", "WinrateConfig", "calibrate", "judge", "winrate"]
