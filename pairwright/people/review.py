"""`pairwright review`: a page to go through a run's pairs, one key each."""

from pydantic import Field

from pairwright.config import OPERATIONAL
from pairwright.people.agreement import in_words
from pairwright.people.notebook import Framed
from pairwright.people.queue import Order
from pairwright.people.serving import PageConfig, require_ui, serve
from pairwright.terminal.text import printable, say


class ReviewConfig(PageConfig):
    """Go through the pairs of a run in the browser: accept, reject, swap, edit, take back what was dropped.

    Decisions are appended to `RUN/review.sqlite`; the run stays as it is, `pairwright apply` makes another.

    Example: pairwright review runs/pairs --by ana
    """

    order: Order = Field(default="uncertain", json_schema_extra=OPERATIONAL)
    """`uncertain`: pairs near a threshold or hardly preferred by judges first, then the rest, shuffled."""
    seed: int = Field(default=0, json_schema_extra=OPERATIONAL)
    """Another number shuffles in another way."""


def review(config: ReviewConfig) -> Framed | None:
    """Serve the page until Ctrl-C, and say how many decisions there are; in a notebook show it there."""
    require_ui("krippendorff", "sklearn")
    from pairwright.people.reviewing import Reviewing

    reviewing = Reviewing(config.run, config.who, config.order, config.seed)
    reviewing.decisions.require_writable()

    def done() -> None:
        reviewing.decisions.refresh()
        decided = len(reviewing.decisions.reviewed())
        people = reviewing.between()
        path = reviewing.decisions.path
        reviewing.decisions.close()
        for line in in_words(people):
            say(printable(line))
        apply = f"`pairwright apply {config.run} --out RUN2`"
        say(f"{path}: {decided:,} rows decided; {apply} makes a run of it")

    framed = serve("review", reviewing.answers, config, done)
    return framed and framed.replaces(f"review {config.run.resolve()}")
