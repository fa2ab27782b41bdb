"""Revision by edits: ask for a list of edits, and apply it."""

from typing import Any, get_args

from rapidfuzz import fuzz

from pairwright.engines.kinds import holds_schemas
from pairwright.errors import UsageError
from pairwright.pairs.tokens import WORD
from pairwright.records import UNPARSED, Completion, Ending
from pairwright.schema import EDITED_PAIR
from prompts import load
from prompts.template import Columns, TemplateError
from revise.config import ReviseConfig
from revise.edits.anchors import folded
from revise.edits.apply import apply
from revise.edits.parse import Unit, parse_edits, schema_of
from revise.edits.sentences import numbered
from revise.mode import Revised, truncated

LONG_ANSWER = 300
"""From this many words on, `--edit_unit auto` numbers sentences."""
_ECHO = (12, 80, 90.0)
"""Characters, from and to, and least likeness of a `replace` that only repeats the instructions."""


class Editing:
    """A list of edits, which are applied here: what no edit names cannot change."""

    schema = EDITED_PAIR

    def __init__(self, config: ReviseConfig, reviser: str) -> None:
        if config.reply == "bare":
            raise UsageError("--reply bare: needs --mode rewrite; edits are read as JSON")
        self._config = config
        self._constrained = config.constrain and holds_schemas(reviser)
        self.first = load(config.template or "revise_edits")
        self.first.require("prompt", "answer", "direction", "unit", "feedback", "row")
        self.again = load("revise_edits_retry")
        self._instructions = {unit: self._said(unit) for unit in get_args(Unit)}

    def variables(self, prompt: str, answer: str) -> dict[str, Any]:
        """Return the variables of the first template."""
        unit = self._unit(answer)
        shown = numbered(answer) if unit == "sentence" else answer
        given = {"prompt": prompt, "answer": shown, "direction": self._config.direction, "unit": unit}
        return {name: given[name] for name in given if name in self.first.variables}

    def json_schema(self, answer: str) -> dict[str, Any] | None:
        """Return the JSON schema of the list, for engines that can hold to one."""
        return schema_of(self._unit(answer)) if self._constrained else None

    def read(self, completion: Completion, answer: str) -> Revised | Ending:
        """Return the answer with all of the edits made in it."""
        cut_off = completion.finish_reason == "length"
        edits = parse_edits(completion.text, self._unit(answer), cut_off=cut_off)
        if edits is None:
            if cut_off:
                return truncated(completion)
            return Ending(UNPARSED, "no complete list of edits was found in what the reviser wrote")
        for number, edit in enumerate(edits, start=1):
            if self._echoed(edit.replace, answer):
                return Ending("unapplied", f"edit {number}: its `replace` only repeats the instructions")
        edited = apply(edits, answer, self._config.min_match_ratio)
        if edited.problems:
            return Ending("unapplied", "; ".join(edited.problems))
        reasons = dict.fromkeys(e.reason.strip() for e in edited.made if e.reason.strip())
        made = [edit._asdict() for edit in edited.made]
        return Revised(edited.text, {"rationale": "\n".join(reasons), "edits": made})

    def _said(self, unit: Unit) -> str:
        """The first template's own words."""
        given: dict[str, Any] = {"prompt": "", "answer": "", "feedback": "", "row": Columns({})}
        given |= {"direction": self._config.direction, "unit": unit}
        try:
            messages = self.first.messages(**{name: given[name] for name in self.first.variables})
        except TemplateError:
            return ""  # a template of the user's that wants more than empty texts
        return folded("\n".join(message["content"] for message in messages)).text

    def _echoed(self, replace: str, answer: str) -> bool:
        """Whether a replacement is the template's example: weak models copy what is to be filled in."""
        words = folded(replace).text.strip()
        least, most, likeness = _ECHO
        if not least <= len(words) <= most or words in folded(answer).text:
            return False
        return fuzz.partial_ratio(words, self._instructions[self._unit(answer)]) >= likeness

    def _unit(self, answer: str) -> Unit:
        """How edits say where: a template that knows of no units is only given the plain answer."""
        if self._config.edit_unit != "auto":
            return self._config.edit_unit
        long = len(WORD.findall(answer)) >= LONG_ANSWER
        return "sentence" if long and "unit" in self.first.variables else "text"
