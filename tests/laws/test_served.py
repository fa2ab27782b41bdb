"""Over HTTP: every request in a server's log is accounted for in the journal, and the other way round."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from any_rows import case
from in_process import quietly
from lawful import whole
from plain_server import PlainServer, reply

from pairwright.folders.journal import Journal

REFUSED = {"error": {"message": "not now"}, "status": 503}


class Served:
    """Answers that say which request they are to; a share of them is refused first, and asked again."""

    def __init__(self, number: int) -> None:
        self._draw = random.Random(number)
        self.answered: list[dict[str, Any]] = []

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        if self._draw.random() < 0.2:
            return REFUSED
        self.answered.append(body)
        said = f"Answer {len(self.answered)} to what was asked."
        if "<revision>" in json.dumps(body["messages"]):
            said = f"<rationale>\nwhy\n</rationale>\n<revision>\n{said}\n</revision>"
        return reply(body, said)


@pytest.mark.parametrize("number", range(4))
def test_the_servers_log_is_the_journal(tmp_path: Path, number: int) -> None:
    server, command = Served(number), ("sample", "revise")[number % 2]
    found = case(number, ("none", "one")[number % 2])
    source = found.write(tmp_path)
    with PlainServer(server) as there:
        role = {"sample": "--n 2 --policy", "revise": "--answer_column reply --reviser"}[command]
        argv = f"{command} {source} {role} openai:m@{there.url} --out {tmp_path}/run".split()
        quietly(*argv)
        quietly(*argv)  # a second run asks nothing
    refused = len(there.bodies) - len(server.answered)
    assert refused >= 0
    whole(tmp_path / "run", len(found.rows) * (2 if command == "sample" else 1))
    asked = Counter(
        json.dumps([body["messages"], body["seed"]], sort_keys=True) for body in server.answered
    )
    assert set(asked.values()) == {1}
    with Journal(tmp_path / "run/journal.sqlite") as journal:
        kept = [journal.get(key) for key in list(journal.keys())]
    assert all(completion is not None for completion in kept)
    texts = Counter(completion.text for completion in kept if completion is not None)
    assert len(kept) == len(server.answered)
    assert sum("Answer" in text for text in texts) == len(server.answered)
    assert set(texts.values()) == {1}
