"""The runs of characters between white space of texts, and what is found in each.

Language repeats itself: most runs have been met before. Of many texts at once they are told apart by Arrow.

    R runs of all texts    D different ones    T texts    B bytes of all texts    H characters beyond ASCII
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

_LENGTH, _COUNT = 40, 2**17
"""Characters of the longest run that is remembered (longer ones hardly come twice), and how many are."""
_SPACE = np.array([chr(code).isspace() for code in range(0x3002)])
"""Whether a character is white space, by its code; those from U+3001 on are not."""
_IN_ASCII = np.append(_SPACE[:128], np.zeros(128, bool))
"""The same by a byte of UTF-8: none of other characters than ASCII's."""

Found = TypeVar("Found")
Places = NDArray[np.int64]


class Runs(dict[str | bytes, Found]):
    """What was found in each run; `runs[run]` finds what was not found yet.

    A run is given as text, or as UTF-8 with the white space that follows it.
    """

    def __init__(self, find: Callable[[str], Found]) -> None:
        self._find = find

    def __missing__(self, run: str | bytes) -> Found:
        if isinstance(run, bytes):
            found = self[str(run, "utf-8", "surrogatepass").rstrip()]
        else:
            found = self._find(run)
        if len(run) <= _LENGTH:
            if len(self) >= _COUNT:
                self.clear()
            self[run] = found
        return found


class Cut(NamedTuple):
    """Texts cut at their white space."""

    runs_D: list[bytes]
    """The different runs, each with the white space that follows it: with another one it is another."""
    which_R: NDArray[np.int32]
    """Which of the different ones each run is, in the order of the texts."""
    begins_R: Places
    """Where each begins in its text, in characters."""
    borders_T: Places
    """The first run of each text, and after the last text the number of all."""


@lru_cache(maxsize=1)  # the same texts are measured, and looked through for phrases
def cut(texts: tuple[str, ...]) -> Cut:
    """Cut texts at their white space."""
    import pyarrow as pa

    together = "\n".join(["", *texts])
    written = together.encode("utf-8", "surrogatepass")
    bytes_B = np.frombuffer(written, np.uint8)
    space_B = np.take(_IN_ASCII, bytes_B)
    if not together.isascii():
        _add_spaces_beyond_ascii(space_B, bytes_B)
    starts_R = np.flatnonzero(space_B[:-1] > space_B[1:]) + 1
    buffers = [None, pa.py_buffer(np.append(starts_R, len(bytes_B))), pa.py_buffer(written)]
    runs = pa.Array.from_buffers(pa.large_binary(), len(starts_R), buffers).dictionary_encode()
    if not together.isascii():  # from bytes to characters
        starts_R -= np.searchsorted(np.flatnonzero(bytes_B & 0xC0 == 0x80), starts_R)
    lengths_T = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
    starts_T = np.cumsum(lengths_T) - lengths_T + 1
    borders_T = np.append(np.searchsorted(starts_R, starts_T), len(starts_R))
    return Cut(
        runs_D=runs.dictionary.to_pylist(),
        which_R=runs.indices.to_numpy(),
        begins_R=starts_R - np.repeat(starts_T, np.diff(borders_T)),
        borders_T=borders_T,
    )


def _add_spaces_beyond_ascii(space_B: NDArray[np.bool_], bytes_B: NDArray[np.uint8]) -> None:
    """Mark the bytes of white space of two or three bytes too."""
    firsts_H = np.flatnonzero((bytes_B >= 0xC2) & (bytes_B <= 0xE3))
    one, two, three = (np.take(bytes_B, firsts_H + n, mode="clip").astype(np.int64) & 63 for n in range(3))
    long_H = bytes_B[firsts_H] >= 0xE0
    codes_H = np.where(long_H, (one & 15) << 12 | two << 6 | three, (one & 31) << 6 | two)
    found_H = np.take(_SPACE, codes_H, mode="clip")
    for length, of_length in ((2, found_H & ~long_H), (3, found_H & long_H)):
        for n in range(length):
            space_B[firsts_H[of_length] + n] = True
