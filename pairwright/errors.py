"""Errors a user can do something about: one sentence, no traceback, a documented exit code."""


class PairwrightError(Exception):
    """Work that could not be done. The message is one sentence that says what to do; exit code 1."""

    exit_code = 1


class UsageError(PairwrightError):
    """A command, file or setting that cannot be used as given; nothing was started. Exit code 2."""

    exit_code = 2
