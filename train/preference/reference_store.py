"""Reference log-probabilities on disk, shared by all runs that have the same reference.

STORE/NAME/about.json              what the reference is, in words
STORE/NAME/part-….parquet          key, logp (nats), tokens; a file for each run that found something new

NAME is a hash of the weights and of the numerics that they are run with; a key is a hash of the token
ids of a prompt and an answer. So another output folder, learning rate, beta or loss finds everything,
and another template, truncation, model or number format finds nothing that is not its own.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pairwright.folders.keyed import KeyedNumbers, shared_folder
from train.forward.answers import Answer, weights_of

NONE = "none"
_NUMBERS = pa.schema([("logp", pa.float32()), ("tokens", pa.int32())])


class ReferenceStore:
    """One reference's log-probabilities of answers, from this run and earlier ones."""

    def __init__(self, place: str, identity: Mapping[str, Any]) -> None:
        """`place` is a folder; the user's cache when empty. `identity` says what the reference is."""
        self._numbers = KeyedNumbers(shared_folder(place, "reference"), identity, _NUMBERS)
        self.folder = self._numbers.folder

    def known(self, answers: Sequence[Answer]) -> list[float | None]:
        """Return the log-probability of each answer, where it is known.

        Raises `PairwrightError`, naming the file, for one that is damaged.
        """
        keys = [key_of(answer) for answer in answers]
        found = self._numbers.find(keys)
        return [found[key][0] if key in found else None for key in keys]

    def add(self, answers: Sequence[Answer], logps: Sequence[float]) -> None:
        """Store new log-probabilities in a file of their own, so that runs may add concurrently."""
        tokens = [len(answer.answer_ids) for answer in answers]
        self._numbers.add([key_of(answer) for answer in answers], logps, tokens)


def key_of(answer: Answer) -> bytes:
    """Return the hash of the token ids of a prompt and an answer: 16 bytes."""
    digest = hashlib.blake2b(len(answer.prompt_tokens).to_bytes(8, "little"), digest_size=16)
    for ids in answer:
        digest.update(ids.astype("<i4").tobytes())
    weights = weights_of(answer)
    if weights is not None:
        digest.update(b"weights" + weights.astype("<f4").tobytes())
    return digest.digest()
