"""A tokenizer whose control tokens have names that no text can spell.

A control token in a string is told from the same characters in somebody's text only by who wrote it. So the
copy made here knows every control token by a secret name alone: `<|im_end|>` in content is then text like
any other, and the scaffold, which knows the names, still reaches the same ids by the same single pass.
Merges, prefix spaces and whitespace flags thus stay what they were.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pairwright.errors import PairwrightError, UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_NONCE = f"zq{secrets.token_hex(16)}"  # lower-case and plain: every normalizer leaves it alone
_BOUNDARY = f"{_NONCE}boundaryqz"
SECRET_NAME = re.compile(f"{_NONCE}[0-9]+qz")
"""Matches the secret name of any control token."""


class RenamedTokenizer:
    """Encodes text in which control tokens stand under their secret names.

    `ids` maps control tokens to their ids, in both tokenizers the same.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", ids: Mapping[str, int]) -> None:
        self.ids = dict(ids)
        self._names = {token: f"{_NONCE}{i}qz" for token, i in ids.items()}
        self._token_ids = frozenset(ids.values()) - {tokenizer.unk_token_id}
        longest_first = sorted(map(re.escape, ids), key=len, reverse=True)
        self._spelled = re.compile("|".join(longest_first) or r"(?!)")
        self._backend, self._boundary_id = _renamed(tokenizer, self._names, self.ids)

    def rename(self, scaffold: str) -> str:
        """Return the text with every control token in it, as it is spelled, under its secret name."""
        return self._spelled.sub(lambda match: self._names[match[0]], scaffold)

    def is_name(self, text: str) -> bool:
        """Return whether a text is a plain name, as of a part of a tool, without control tokens."""
        return text.isidentifier() and not self._spelled.search(text)

    def name(self, token: str) -> str:
        """Return the secret name of a control token."""
        return self._names[token]

    def id_of(self, name: str) -> int:
        """Return the id behind a secret name."""
        return int(name[len(_NONCE) : -len("qz")])

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text that begins where the tokenizer begins; nothing is added to it."""
        ids: list[int] = self._backend.encode(text, add_special_tokens=False).ids
        if sum(i in self._token_ids for i in ids) > len(SECRET_NAME.findall(text)):
            raise PairwrightError("The tokenizer made a control token out of plain text.")
        return ids

    def encode_after(self, text: str) -> list[int]:
        """Return the token ids of a text that follows other tokens and merges with none of them."""
        first, *ids = self.encode(_BOUNDARY + text)
        assert first == self._boundary_id
        return ids


def control_ids(tokenizer: "PreTrainedTokenizerBase") -> dict[str, int]:
    """Return the tokens that text from data must never become, and their ids.

    All special tokens and all added ones, but for added whitespace and plain words: Gemma's blank
    line is an added token, and text without it would be unlike anything that the model has seen.
    """
    return {
        token.content: i
        for i, token in tokenizer.added_tokens_decoder.items()
        if token.special or not _is_plain(token.content)
    }


def literal_ids(
    tokenizer: "PreTrainedTokenizerBase", controls: Iterable[str], scaffold: str
) -> dict[str, int]:
    """Return ordinary vocabulary that the scaffold uses as a mark, such as `[INST]`, and the ids."""
    known = frozenset(controls)
    mark = re.compile(r"[<\[{|].*[A-Za-z].*[>\]}|]")
    return {
        piece: i
        for piece, i in tokenizer.get_vocab().items()
        if piece not in known and mark.fullmatch(piece) and piece in scaffold
    }


def _is_plain(token: str) -> bool:
    return all(c.isspace() or c.isalnum() or c == "▁" for c in token)


def _renamed(
    tokenizer: "PreTrainedTokenizerBase", names: Mapping[str, str], ids: Mapping[str, int]
) -> tuple[Any, int]:
    """A copy of the backend that knows `names` alone, and the id of the boundary token."""
    from tokenizers import Tokenizer

    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise UsageError(
            f"{tokenizer.name_or_path} has no fast tokenizer; put a tokenizer.json in its folder."
        )
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state |= {"truncation": None, "padding": None, "post_processor": None}
    _rename_model(state["model"], names)
    state["added_tokens"] = _rename_added(state["added_tokens"], names, ids)
    backend = Tokenizer.from_str(json.dumps(state))
    if any(backend.token_to_id(names[token]) != i for token, i in ids.items()):
        raise PairwrightError(f"The tokenizer of {tokenizer.name_or_path} numbers a token twice.")
    backend.add_special_tokens([_BOUNDARY])
    return backend, backend.encode(_BOUNDARY, add_special_tokens=False).ids[0]


def _rename_model(model: dict[str, Any], names: Mapping[str, str]) -> None:
    """Rename the control tokens inside the vocabulary and drop the merges that lead to them."""
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {names.get(piece, piece): i for piece, i in vocab.items()}
    else:
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in vocab]
    if (unknown := model.get("unk_token")) is not None:
        model["unk_token"] = names.get(unknown, unknown)
    if "merges" in model:
        model["merges"] = [m for m in model["merges"] if not _touches(m, names)]


def _touches(merge: str | list[str], names: Mapping[str, str]) -> bool:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left in names or right in names or left + right in names


def _rename_added(
    added: list[dict[str, Any]], names: Mapping[str, str], ids: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The added tokens under their names; controls that were plain vocabulary become added."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    known = {token["content"] for token in added}
    new = [{"id": ids[t], "content": t, "special": True} | flags for t in names if t not in known]
    tokens = [t | {"content": names.get(t["content"], t["content"])} for t in [*added, *new]]
    return sorted(tokens, key=lambda token: token["id"])
