"""The requests of the page of `pairwright review`: which pairs, one pair in full, and decisions."""

import time
from collections.abc import Mapping
from typing import Any

from pairwright.errors import UsageError
from pairwright.pairs.minimality import measure
from pairwright.pairs.word_diff import pieces
from pairwright.people.agreement import Between, between, contested, decisions_of, in_words
from pairwright.people.config import Order
from pairwright.people.decisions import Decision, Decisions, Place, summary
from pairwright.people.queue import Rows
from pairwright.people.serving import Answer
from pairwright.people.wanted import Wanted
from pairwright.records import KEPT
from pairwright.reports.examples import shown
from pairwright.terminal.text import printable

KINDS = ("accept", "reject", "swap", "edit")
CONTESTED = "contested"
"""The state of rows of which people decided different things."""
_LONGEST_REASON = 2000
_BESIDE_THE_POINT = ("attempts", "completion_tokens")
"""Facts about how a pair was made, which say nothing of whether it is good."""


class Reviewing:
    """One person's review of one run."""

    def __init__(self, rows: Rows, who: str, order: Order = "uncertain") -> None:
        self.rows = rows
        self.decisions = Decisions(rows.folder, rows.manifest)
        self._who = who
        self._order = order
        self._started = time.monotonic()
        self._mine = 0
        self._snapshots: dict[str, Any] = {}

    @property
    def answers(self) -> dict[str, Answer]:
        """The answering functions, by request."""
        return {
            "start": self.start,
            "filters": self.filters,
            "pair": self.pair,
            "measure": self.measured,
            "decide": self.decide,
            "undo": self.undo,
            "people": self.people,
        }

    def start(self, _: Mapping[str, Any]) -> Any:
        """Return what the page needs once."""
        self.decisions.refresh()
        return {
            "run": printable(str(self.rows.folder)),
            "who": printable(self._who),
            "statuses": self.rows.statuses,
            "strangers": self.decisions.strangers,
            "progress": self._progress(),
        }

    def filters(self, _: Mapping[str, Any]) -> Any:
        """Return what rows can be filtered by, for which all of them are read."""
        index = self.rows.index
        return {"sources": [[name, printable(name)] for name in index.sources], "measures": index.measured}

    def pair(self, asked: Mapping[str, Any]) -> Any:
        """Return one row of a view: number `at`, the row `place`, or the first that nobody decided of.

        A view is named by the page, and stays as it was when the page first asked for it, so that rows do
        not move under the person's hands.
        """
        self.decisions.refresh()
        view = self._view(asked)
        at = asked.get("at")
        if (place := asked.get("place")) is not None:
            found = (view == self.rows.number(_place(place))).nonzero()[0]
            at = int(found[0]) if len(found) else 0
        elif at is None:
            done = {self.rows.number(p) for p in self.decisions.reviewed()}
            at = next((n for n, number in enumerate(view) if int(number) not in done), 0)
        total = len(view)
        if not total:
            return {"total": 0, "at": 0, "row": None, "progress": self._progress()}
        at = min(max(int(at), 0), total - 1)
        place = self.rows.place(int(view[at]))
        if at + 1 < total:
            self.rows.expect(self.rows.place(int(view[at + 1])))
        return {"total": total, "at": at, "row": self._shown(place), "progress": self._progress()}

    def measured(self, asked: Mapping[str, Any]) -> Any:
        """Return the pair with another chosen answer: its diff and its measures."""
        record = self.rows.record(_place(asked["place"]))
        return _compared(_text(asked, "text"), _said(record.get("rejected")) or "")

    def decide(self, asked: Mapping[str, Any]) -> Any:
        """Append a decision, and return the row that is asked for as `next`.

        Raises `UsageError` for what cannot be decided of this row.
        """
        place, kind = _place(asked["place"]), asked["kind"]
        if kind not in KINDS:
            raise UsageError(f"{kind!r} is no decision: {', '.join(KINDS)}")
        record = self.rows.record(place)
        text = _text(asked, "text") if kind == "edit" else None
        self.decisions.refresh()
        last = self.decisions.last(place)
        if kind == "accept" and last is not None and last.kind == "edit":
            kind, text = "edit", last.text  # the page shows the edited answer: that is what is accepted
        chosen, rejected = _said(record.get("chosen")), _said(record.get("rejected"))
        if kind != "reject" and (not rejected or (kind != "edit" and not chosen)):
            missing = "rejected" if not rejected else "chosen"
            raise UsageError(f"this row has no {missing} answer; it is a pair only where one is written")
        if text is not None and not text.strip():
            raise UsageError("the edited answer is empty")
        if text is not None and text == rejected:
            raise UsageError("the edited answer says exactly what the rejected one says")
        reason = asked.get("reason") or ""
        if not isinstance(reason, str) or len(reason) > _LONGEST_REASON:
            raise UsageError(f"a reason is text of at most {_LONGEST_REASON:,} characters")
        self.decisions.append(
            self._who, "review", place, str(record["row_id"]), kind, reason=reason, text=text
        )
        self._mine += 1
        if isinstance(following := asked.get("next"), dict):  # one answer for both, so that a key costs one
            return self.pair(following)
        return {"row": self._shown(place), "progress": self._progress()}

    def undo(self, _: Mapping[str, Any]) -> Any:
        """Take back this person's last decision; returns its row."""
        last = self.decisions.undo(self._who, "review")
        if last is None:
            raise UsageError("you have nothing to undo")
        self._mine -= 1
        return {"place": str(last.place), "kind": last.kind, "progress": self._progress()}

    def people(self, _: Mapping[str, Any]) -> Any:
        """Return in words how far people agree who decided of the same rows."""
        self.decisions.refresh()
        return {"between": [printable(line) for line in in_words(self.between())]}

    def between(self) -> Between:
        """Return how far all who reviewed this run agree, by what each decided last."""
        return between(decisions_of(self.decisions.standing("review")))

    def _view(self, asked: Mapping[str, Any]) -> Any:
        fields = {name: str(asked.get(name) or "") for name in Wanted._fields}
        key = f"{asked.get('view')} {fields}"
        if key not in self._snapshots:
            kinds = {place: d.kind for place, d in self.decisions.reviewed().items()}
            if fields["state"] == CONTESTED:
                kinds = dict.fromkeys(contested(decisions_of(self.decisions.standing("review"))), CONTESTED)
            self._snapshots[key] = self.rows.view(Wanted(**fields), self._order, lambda: kinds)
            while len(self._snapshots) > 32:
                self._snapshots.pop(next(iter(self._snapshots)))
        return self._snapshots[key]

    def _shown(self, place: Place) -> Any:
        """A row as the page shows it, and what was decided of it."""
        record = self.rows.record(place)
        status = self.rows.status(place)
        decided = self.decisions.of_row("review", place)
        chosen, rejected = _said(record.get("chosen")), _said(record.get("rejected"))
        edited = decided[-1].text if decided and decided[-1].kind == "edit" else None
        row = shown(record, status, 0)
        if edited is not None and rejected is not None:
            row |= _compared(edited, rejected)
        return row | {
            "place": str(place),
            "kept": status == KEPT,
            "feedback": printable(str(record.get("feedback") or "")),
            "chosen": chosen if edited is None else edited,
            "rejected": rejected,
            "facts": {n: v for n, v in row["facts"].items() if n not in _BESIDE_THE_POINT},
            "near": self.rows.near(place),
            "decided": [_told(decision) for decision in decided],
        }

    def _progress(self) -> Any:
        reviewed = self.decisions.reviewed()
        return {
            "rows": len(self.rows),
            "decided": len(reviewed),
            "counts": summary(reviewed),
            "mine": self._mine,
            "seconds": round(time.monotonic() - self._started),
        }


def _told(decision: Decision) -> dict[str, str]:
    return {
        "kind": decision.kind,
        "who": printable(decision.who),
        "at": decision.at,
        "reason": printable(decision.reason),
    }


def _compared(chosen: str, rejected: str) -> dict[str, Any]:
    """The diff of a pair and its measures, as the page shows them."""
    found = measure(chosen, rejected, original=rejected)
    names = ("edit_distance", "kept_share", "length_ratio")
    return {
        "text": [[kind[0], printable(piece)] for kind, piece in pieces(rejected, chosen)],
        "facts": {name: round(getattr(found, name), 4) for name in names},
        "pair": True,
    }


def _place(text: Any) -> Place:
    try:
        return Place.parsed(text)
    except (ValueError, AttributeError, TypeError):
        raise UsageError(f"{text!r} is no place of a row") from None


def _text(asked: Mapping[str, Any], name: str) -> str:
    """Text as Parquet can hold it."""
    text = asked[name]
    if not isinstance(text, str):
        raise UsageError(f"`{name}` is no text")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _said(messages: Any) -> str | None:
    return messages[-1]["content"] if messages else None
