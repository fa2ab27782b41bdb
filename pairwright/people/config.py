"""Settings of `review`, `label` and `apply`: the run, the page, and the output."""

import getpass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from pairwright.config import OPERATIONAL, POSITIONAL, Config
from pairwright.errors import UsageError

Order = Literal["uncertain", "random", "file"]


class PageConfig(Config):
    """Which run, for whom, and where the page is served."""

    group: ClassVar[str] = "Run and page"

    run: Path = Field(json_schema_extra=POSITIONAL)
    """Run folder with pairs."""
    by: str | None = Field(default=None, json_schema_extra=OPERATIONAL | {"also": ("as",)})
    """Who decides, as the record shall name them; the user's own name on this machine by default."""
    host: str = Field(default="127.0.0.1", json_schema_extra=OPERATIONAL)
    """Address to listen at; others than this machine's own can be reached by anybody who has the token."""
    port: int = Field(default=0, ge=0, le=65535, json_schema_extra=OPERATIONAL)
    """Port to listen at; 0 takes a free one."""
    browser: bool = Field(default=True, json_schema_extra=OPERATIONAL)
    """Open the page in the browser; its address is printed in any case."""

    @property
    def who(self) -> str:
        """Who decides. Raises `UsageError` when nothing says so."""
        try:
            name = self.by if self.by is not None else getpass.getuser()
        except (OSError, KeyError):
            name = ""
        if not name.strip():
            raise UsageError("nothing says who decides; give your name with --by NAME")
        return name.strip()


class ReviewConfig(PageConfig):
    """Go through the pairs of a run in the browser: accept, reject, swap, edit, take back what was dropped.

    Decisions are appended to `RUN/review.sqlite`; the run stays as it is, `pairwright apply` makes another.

    Example: pairwright review runs/pairs --by ana
    """

    order: Order = Field(default="uncertain", json_schema_extra=OPERATIONAL)
    """`uncertain`: pairs near a threshold or hardly preferred by judges first, then the rest, shuffled."""
    seed: int = Field(default=0, json_schema_extra=OPERATIONAL)
    """Another number shuffles in another way."""


class LabelConfig(PageConfig):
    """Compare the kept pairs of a run blind in the browser: better, worse, tie, both bad, skip.

    Several people label one run, each `--by` a name of their own; how far they agree is said at the end.
    Labels are appended to `RUN/review.sqlite`, and written as a file that `pairwright calibrate` takes.

    Example: pairwright label runs/judged --reveal 50
    """

    labels: Path | None = Field(default=None, json_schema_extra=OPERATIONAL)
    """JSONL file to write when the page is closed; `RUN/labels.jsonl` by default."""
    export: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Only write the file of what was labelled so far, and open no page."""
    reveal: int | None = Field(default=None, gt=0, json_schema_extra=OPERATIONAL)
    """Show after N labels how often they agree with the run, with an interval, and how steady they are."""
    repeat_every: int = Field(default=10, ge=0, json_schema_extra=OPERATIONAL)
    """One pair comes back, turned round, for every N that are new; 0 for none."""
    shared: float = Field(default=0.3, ge=0, le=1, json_schema_extra=OPERATIONAL)
    """Share of the pairs that everybody labels, so that people can be compared; each of the others is for
    one person. 1: all pairs are for everybody."""
    seed: int = Field(default=0, json_schema_extra=OPERATIONAL)
    """Another number takes the pairs in another order."""


class ApplyConfig(Config):
    """Make a run of what people decided in `pairwright review`; the reviewed run stays as it is.

    Example: pairwright apply runs/pairs --out runs/reviewed
    """

    run: Path = Field(json_schema_extra=POSITIONAL)
    """Run folder that was reviewed."""
    out: str = Field(json_schema_extra=OPERATIONAL)
    """Run folder to write."""
    only_reviewed: bool = False
    """Keep reviewed pairs alone; kept ones that nobody decided of are `not_reviewed`."""
    shard_size: int = Field(default=1000, gt=0, json_schema_extra=OPERATIONAL)
    """Rows of work in a shard."""
    fresh: bool = Field(default=False, json_schema_extra=OPERATIONAL)
    """Start the folder over."""
