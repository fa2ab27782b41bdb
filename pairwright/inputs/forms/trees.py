"""Trees of messages, as OpenAssistant has them: each answer of the assistant is a row, with all turns above
it as its prompt, and its rank among the answers to the same turn as its score."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.forms.form import Form, Wrong, said_by
from pairwright.inputs.source import Record, Source

_ROLES = {"prompter": "user", "assistant": "assistant"}
_SAID = (
    "each answer with the turns above it; `rank` is its score, and answers without one, or `deleted`, are "
    "in no pair"
)
_NODE = ("message_id", "parent_id", "text", "role")


class _Node(NamedTuple):
    parent: str | None
    role: str
    text: Any
    rank: Any


def _answer(path: Sequence[Mapping[str, Any]], text: Any, score: float | None) -> dict[str, Any]:
    found = {"prompt": list(path), "completion": text}
    return found if score is None else found | {"score": score}


def _score(answer: Mapping[str, Any], siblings: int) -> float | None:
    """Greater is better: the rank's negative; 0 for an answer that has no other beside it."""
    rank = answer.get("rank")
    if answer.get("deleted"):
        return None
    if isinstance(rank, int | float):
        return -float(rank)
    return 0.0 if siblings == 1 else None


def _role(value: Any) -> str:
    if value not in _ROLES:
        raise Wrong(f"`role` is {value!r}; it must be one of {', '.join(_ROLES)}")
    return _ROLES[value]


def _tree(prompt: Any) -> list[Mapping[str, Any]]:
    """The answers of one tree, in the order in which they stand in it."""
    if not isinstance(prompt, Mapping):
        raise Wrong("`prompt` must be the message that its replies hang on")
    found: list[Mapping[str, Any]] = []
    todo: list[tuple[Any, list[dict[str, Any]], int]] = [(prompt, [], 1)]
    while todo:
        node, path, siblings = todo.pop()
        if not isinstance(node, Mapping) or not isinstance(node.get("text"), str):
            raise Wrong("a message of the tree has no `text`")
        role = _role(node.get("role"))
        if role == "assistant" and path:
            found.append(_answer(path, node["text"], _score(node, siblings)))
        replies = node.get("replies") or []
        below = [*path, said_by(role, node["text"])]
        todo += [(reply, below, len(replies)) for reply in reversed(replies)]
    return found


def _of_messages(source: Source) -> Iterator[tuple[str, Record | Exception]]:
    """The answers among rows of one message each, wherever their parents stand."""
    nodes: dict[str, _Node] = {}
    children: dict[str | None, int] = {}
    for _, record in source.readable():
        if not isinstance(record, UsageError) and set(_NODE) <= record.keys():
            parent = record["parent_id"]
            nodes[record["message_id"]] = _Node(parent, record["role"], record["text"], record.get("rank"))
            if record["role"] == "assistant":
                children[parent] = children.get(parent, 0) + 1
    for where, record in source.readable():
        if isinstance(record, UsageError):
            yield where, record
        elif not set(_NODE) <= record.keys():
            yield (
                where,
                Wrong("no `message_id`, `parent_id`, `text` and `role`, as the rows before it have"),
            )
        elif record["role"] == "assistant":
            try:
                path = _above(nodes, record["parent_id"])
                score = _score(record, children[record["parent_id"]])
                rest = {n: v for n, v in record.items() if n not in (*_NODE, "rank")}
                yield where, rest | _answer(path, record["text"], score)
            except Wrong as error:
                yield where, error


def _above(nodes: Mapping[str, _Node], name: str | None) -> list[dict[str, Any]]:
    """The turns above a message, from the first on."""
    path: list[dict[str, Any]] = []
    while name is not None:
        if name not in nodes:
            raise Wrong(f"`parent_id` {name!r} is the `message_id` of no row")
        node = nodes[name]
        path.append(said_by(_role(node.role), node.text))
        if len(path) > len(nodes):
            raise Wrong("its parents form a cycle")
        name = node.parent
    return path[::-1]


TREES = (
    Form(
        "oasst",
        _NODE,
        "OpenAssistant/oasst1, oasst2",
        _SAID,
        whole=_of_messages,
        partly=True,
    ),
    Form(
        "oasst_trees",
        ("message_tree_id", "prompt"),
        "OpenAssistant's files of whole trees",
        _SAID,
        read=lambda name, prompt: _tree(prompt),
        tells=lambda record: isinstance(record["prompt"], Mapping) and "replies" in record["prompt"],
        partly=True,
    ),
)
