"""Answers into verdicts into pairs, and how far a judge can be trusted with that."""

from judge.calibrate import CalibrateConfig, calibrate
from judge.command import JudgeConfig, judge

__all__ = ["CalibrateConfig", "JudgeConfig", "calibrate", "judge"]
