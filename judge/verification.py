"""Verifiers as a filter of judged or given pairs."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pairwright.engines.verifiers.config import VerifyConfig
from pairwright.inputs.row import Row
from pairwright.inputs.rows import Input
from pairwright.records import KEPT, UNVERIFIED, Outcome
from pairwright.schema import GATED, THOUGHTS
from pairwright.stages.asking import Meter
from pairwright.stages.stage import Work
from pairwright.stages.verifying import Verifiers, drop_reason


class PairVerification:
    """Keep the pairs of a prompt whose chosen answer scores higher; all of them without `verify`."""

    def __init__(self, config: VerifyConfig, *, allow_code: bool) -> None:
        self._config = config
        self._verifiers = None
        self.roles: Mapping[str, str] = {}
        self.templates: Mapping[str, str] = {}
        if config.verify is not None:
            self._verifiers = Verifiers(config.verify, allow_code=allow_code)
            self.roles, self.templates = self._verifiers.roles, self._verifiers.templates

    def widened(self, schema: pa.Schema) -> pa.Schema:
        """Return the columns of pairs, and those that verifiers fill."""
        return schema if self._verifiers is None else pa.schema([*schema, *GATED])

    def check(self, rows: Input) -> None:
        """Raise `UsageError` when the rows lack a column that a verifier wants."""
        if self._verifiers is not None:
            self._verifiers.check(rows)

    def __call__(self, row: Row, outcome: Outcome) -> Work:
        """The outcome with the pairs that pass; `unverified` when none does."""
        if outcome.status != KEPT or self._verifiers is None:
            return outcome
        meter = Meter("judge")
        passed: list[tuple[dict[str, Any], str]] = []
        failed: list[tuple[dict[str, Any], str]] = []
        for columns in (outcome.columns, *outcome.further):
            answers = [columns[side][0]["content"] for side in ("chosen", "rejected")]
            chosen, rejected = yield from meter.counting(self._verifiers.beside(row, answers))
            scores = {"chosen_score": chosen.score, "rejected_score": rejected.score}
            reason = drop_reason(chosen, rejected, self._config)
            (passed if reason is None else failed).append((columns | scores, reason or ""))
        shown = passed or failed
        tokens = ("prompt_tokens", "completion_tokens")
        cost = {n: outcome.columns[n] + meter.columns[n] for n in tokens}
        free: dict[str, Any] = dict.fromkeys(cost, 0)
        return Outcome(
            status=KEPT if passed else UNVERIFIED,
            reason=shown[0][1],
            columns=shown[0][0] | cost | {n: outcome.columns.get(n) for n, _ in THOUGHTS},
            further=tuple(columns | free for columns, _ in passed[1:]),
        )
