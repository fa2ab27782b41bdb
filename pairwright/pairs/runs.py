"""The runs of characters between white space of texts, and what is found in each.

Language repeats itself: most runs have been met before. Of many texts at once they are told apart by Arrow.

    R runs of all texts    D different ones    T texts
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

_LENGTH, _COUNT = 40, 2**16
"""Characters of the longest run that is remembered (longer ones hardly come twice), and how many are."""
_SPACE = np.array([chr(code).isspace() for code in range(0x3002)])
"""Whether a character is white space, by its code; those from U+3001 on are not."""

Found = TypeVar("Found")
Places = NDArray[np.int64]


class Runs(dict[str, Found]):
    """What was found in each run, by the run; `runs[run]` finds what was not found yet."""

    def __init__(self, find: Callable[[str], Found]) -> None:
        self._find = find

    def __missing__(self, run: str) -> Found:
        found = self._find(run)
        if len(run) <= _LENGTH:
            if len(self) >= _COUNT:
                self.clear()
            self[run] = found
        return found


class Cut(NamedTuple):
    """Texts cut at their white space."""

    runs_D: list[str]
    """The different runs; one that other white space follows may be there twice."""
    which_R: NDArray[np.int32]
    """Which of the different ones each run is, in the order of the texts."""
    begins_R: Places
    """Where each begins in its text."""
    borders_T: Places
    """The first run of each text, and after the last text the number of all."""


@lru_cache(maxsize=1)  # the same texts are measured, and looked through for phrases
def cut(texts: tuple[str, ...]) -> Cut:
    """Cut texts at their white space."""
    import pyarrow as pa

    together = "\n".join(["", *texts])
    coding, width = ("ascii", 1) if together.isascii() else ("utf-32-le", 4)
    written = together.encode(coding, "surrogatepass")
    codes = np.frombuffer(written, f"<u{width}")
    space = np.take(_SPACE, codes, mode="clip")
    starts_R = np.flatnonzero(space[:-1] & ~space[1:]) + 1
    offsets = width * np.append(starts_R, len(codes))  # with white space at its end
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(written)]
    runs = pa.Array.from_buffers(pa.large_binary(), len(starts_R), buffers).dictionary_encode()
    _, borders, held = runs.dictionary.buffers()
    different = str(held, coding, "surrogatepass") if held else ""
    ends = (np.frombuffer(borders, np.int64, len(runs.dictionary) + 1) // width).tolist()
    lengths_T = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
    starts_T = np.cumsum(lengths_T) - lengths_T + 1
    borders_T = np.append(np.searchsorted(starts_R, starts_T), len(starts_R))
    return Cut(
        runs_D=[different[a:b].rstrip() for a, b in pairwise(ends)],
        which_R=runs.indices.to_numpy(),
        begins_R=starts_R - np.repeat(starts_T, np.diff(borders_T)),
        borders_T=borders_T,
    )
