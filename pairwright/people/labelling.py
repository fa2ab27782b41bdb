"""Blind labels: the next pair and its order on the page, agreement, and the file of labels."""

import json
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pairwright.errors import UsageError
from pairwright.figures.intervals import Rate, wilson
from pairwright.folders.durable import write_durably
from pairwright.inputs.columns import PAIR
from pairwright.people.agreement import Between, between, in_words, labels_of
from pairwright.people.decisions import Decision, Decisions, Place
from pairwright.people.queue import Rows
from pairwright.people.serving import Answer
from pairwright.people.wanted import Wanted
from pairwright.records import content_hash
from pairwright.terminal.text import printable

ANSWERS = ("first", "second", "tie", "both_bad", "skip")
_LONGEST_REASON = 2000


class Labelling:
    """One person and a run's kept pairs, whose sides are hidden.

    Labels are kept by side (`chosen`, `rejected`), whichever stood first on the page.
    """

    def __init__(
        self,
        folder: Path,
        who: str,
        *,
        seed: int = 0,
        repeat_every: int = 0,
        reveal: int | None = None,
        shared: float = 1.0,
    ) -> None:
        """`shared` is the share of the pairs that everybody labels; each of the rest is one person's."""
        self.rows = Rows(folder, seed)
        self.decisions = Decisions(folder, self.rows.manifest)
        self._who = who
        self._seed = seed
        self._repeat_every = repeat_every
        self._reveal = reveal
        if not self.rows.kept or not (paired := self.rows.index.paired).any():
            raise UsageError(f"{folder}: no pair was kept; there is nothing to label")
        order = self.rows.view(Wanted(), "random", dict)
        self._order = order[paired[order]]
        self._share = shared
        self._known: tuple[int, Between] | None = None
        self._shared, own = np.split(self._order, [math.ceil(shared * len(self._order))])
        self._own = np.random.default_rng(int(content_hash([seed, who])[:8], 16)).permutation(own)

    @property
    def answers(self) -> dict[str, Answer]:
        """By question of the page."""
        return {"next": self.next, "label": self.label, "undo": self.undo}

    def next(self, _: Mapping[str, Any]) -> Any:
        """Return the pair to label now: a prompt and two answers, without their sides."""
        self.decisions.refresh()
        mine = self._mine()
        found = self._again(mine) or self._new(mine)
        if found is None:
            return {"pair": None, "progress": self._progress(mine)}
        place, turned = found
        record = self.rows.record(place)
        sides = PAIR if self._chosen_first(place) != turned else PAIR[::-1]
        pair = {
            "place": str(place),
            "turned": turned,
            "prompt": [[m["role"], printable(m["content"] or "")] for m in record["prompt"]],
            "answers": [printable(record[side][-1]["content"]) for side in sides],
        }
        return {"pair": pair, "progress": self._progress(mine)}

    def label(self, asked: Mapping[str, Any]) -> Any:
        """Append a label, and return the next pair."""
        try:
            place = Place.parsed(asked["place"])
        except (ValueError, AttributeError):
            raise UsageError(f"{asked['place']!r} is no place of a row") from None
        answer, turned, reason = asked["answer"], bool(asked["turned"]), asked.get("reason") or ""
        if answer not in ANSWERS or place.part != "data":
            raise UsageError(f"{answer!r} is no label: {', '.join(ANSWERS)}")
        if not isinstance(reason, str) or len(reason) > _LONGEST_REASON:
            raise UsageError(f"a reason is text of at most {_LONGEST_REASON:,} characters")
        self.rows.number(place)
        if answer in ("first", "second"):
            chosen_first = self._chosen_first(place) != turned
            answer = "chosen" if (answer == "first") == chosen_first else "rejected"
        row_id = str(self.rows.record(place)["row_id"])
        added = self.decisions.append_once(self._who, place, row_id, answer, reason, turned)
        return self.next({}) | {"again": not added}

    def undo(self, _: Mapping[str, Any]) -> Any:
        """Take back this person's last label; its pair comes next."""
        if self.decisions.undo(self._who, "label") is None:
            raise UsageError("you have nothing to undo")
        return self.next({})

    def labels(self) -> list[dict[str, Any]]:
        """Return everybody's labels as rows for `pairwright calibrate`; skipped pairs are left out."""
        standing = list(self.decisions.standing("label"))
        repeats = {(d.who, d.place): d for d in standing if d.turned}
        found = []
        for d in standing:
            if d.turned or d.kind == "skip":
                continue
            record = self.rows.record(d.place)
            sides = PAIR if self._chosen_first(d.place) else PAIR[::-1]
            again = repeats.get((d.who, d.place))
            found.append(
                {
                    "prompt": record["prompt"],
                    **{
                        f"response_{name}": record[side][-1]["content"]
                        for name, side in zip("ab", sides, strict=True)
                    },
                    "preference": sides.index(d.kind) + 1 if d.kind in sides else 0,
                    "labelled_by": d.who,
                    "labelled_at": d.at,
                    "label_said": d.kind if d.kind not in sides else "better",
                    "label_reason": d.reason,
                    "label_repeated": None if again is None else _same(d, again),
                    "labelled_row": d.row_id,
                }
            )
        return found

    def export(self, path: Path) -> int:
        """Write the labels as JSONL; returns their number."""
        self.decisions.refresh()
        labels = self.labels()
        text = "".join(json.dumps(label, ensure_ascii=False) + "\n" for label in labels)
        write_durably(path, text.encode("utf-8", "replace"))
        return len(labels)

    def agreement(self) -> Rate:
        """Return how often this person prefers what the run chose, where they prefer one at all."""
        told = [d.kind for d in self._mine() if not d.turned and d.kind in PAIR]
        return wilson(told.count("chosen"), len(told))

    def consistency(self) -> Rate:
        """Return how often this person gives the same label to a pair that is shown again, swapped."""
        mine = self._mine()
        first = {d.place: d for d in mine if not d.turned}
        both = [(first[d.place], d) for d in mine if d.turned and d.place in first and d.kind != "skip"]
        return wilson(sum(_same(a, b) for a, b in both), len(both))

    def between(self) -> Between:
        """Return how far all who labelled this run agree."""
        return between(labels_of(self.decisions.standing("label")))

    def _lately(self) -> Between:
        """The same, as it was when there were a tenth fewer labels or less: each key would wait for it."""
        count = sum(map(len, labels_of(self.decisions.standing("label")).values()))
        if self._known is None or not 0.9 * count <= self._known[0] <= count:
            self._known = count, self.between()
        return self._known[1]

    def _mine(self) -> list[Decision]:
        return [d for d in self.decisions.standing("label") if d.who == self._who]

    def _again(self, mine: list[Decision]) -> tuple[Place, bool] | None:
        """A pair that was labelled some time ago and is due to come back, turned round."""
        first = [d for d in mine if not d.turned]
        repeated = {d.place for d in mine if d.turned}
        if not self._repeat_every or len(first) < self._repeat_every * (len(repeated) + 1):
            return None
        old = first[: len(first) - self._repeat_every // 2]
        due = (d.place for d in old if d.kind != "skip" and d.place not in repeated)
        place = next(due, None)
        return None if place is None else (place, True)

    def _new(self, mine: list[Decision]) -> tuple[Place, bool] | None:
        """The next pair that this person has not seen: one that all see, or one that nobody else has.

        All see the shared pairs in one order, so that few labels are enough to compare people; each goes
        through the others in an order of their own.
        """
        seen = {self.rows.number(d.place) for d in mine}
        shared = next((int(n) for n in self._shared if int(n) not in seen), None)
        taken = seen | {self.rows.number(d.place) for d in self.decisions.standing("label")}
        own = next((int(n) for n in self._own if int(n) not in taken), None)
        done = len([n for n in seen if n in self._of_all])
        first, then = (shared, own) if done <= self._share * len(seen) else (own, shared)
        number = first if first is not None else then
        return None if number is None else (self.rows.place(number), False)

    @cached_property
    def _of_all(self) -> frozenset[int]:
        """Numbers of the shared pairs."""
        return frozenset(self._shared.tolist())

    def _chosen_first(self, place: Place) -> bool:
        """Which way round a pair stands when it comes for the first time: by chance, the same each time."""
        return int(content_hash([self._seed, str(place)])[:8], 16) % 2 == 0

    def _progress(self, mine: list[Decision]) -> Any:
        done = [d for d in mine if not d.turned]
        told = {"who": printable(self._who), "done": len(done), "pairs": len(self._order)}
        if self._reveal is None:
            return told
        told["reveal"] = self._reveal
        if len([d for d in done if d.kind != "skip"]) < self._reveal:
            return told
        agreement, consistency = self.agreement(), self.consistency()
        return told | {
            "agreement": agreement._asdict(),
            "consistency": consistency._asdict(),
            "ties": sum(d.kind in ("tie", "both_bad") for d in done),
            "between": [printable(line) for line in in_words(self._lately())],
        }


def _same(one: Decision, other: Decision) -> bool:
    """Whether two labels say the same; a tie is a tie, whether both are good or bad."""
    kinds = ["tie" if d.kind == "both_bad" else d.kind for d in (one, other)]
    return kinds[0] == kinds[1]
