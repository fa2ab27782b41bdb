"""Verifiers: functions that know whether an answer is right, run where they can do no harm.

A verifier is a function of the user's or a shipped check. It is written in one of two ways:

    def NAME(prompt, answer, row) -> bool | float | (score, feedback)
    def NAME(completions, prompts, **columns) -> list[float | None]

The second is a reward function of TRL, unchanged. `None` says that the verifier does not apply.
"""
