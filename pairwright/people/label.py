"""`pairwright label`: a page to compare a run's pairs blind, and to see whether to trust its verdicts."""

from pathlib import Path
from threading import Thread

from pydantic import Field

from pairwright.config import OPERATIONAL
from pairwright.people.agreement import in_words, load_libraries
from pairwright.people.notebook import Framed
from pairwright.people.serving import PageConfig, require_ui, serve
from pairwright.terminal.text import printable, say

LABELS = "labels.jsonl"


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


def label(config: LabelConfig) -> Framed | None:
    """Serve the page until Ctrl-C, and write the labels; in a notebook show it there."""
    require_ui("krippendorff", "sklearn")
    from pairwright.people.labelling import Labelling

    labelling = Labelling(
        config.run,
        config.who,
        seed=config.seed,
        repeat_every=config.repeat_every,
        reveal=config.reveal,
        shared=config.shared,
    )
    path = config.labels or config.run / LABELS

    def done() -> None:
        count = labelling.export(path)
        people = labelling.between()
        labelling.decisions.close()
        for line in in_words(people):
            say(printable(line))
        say(
            f"{path}: {count:,} labels; `pairwright calibrate {path} --judge ENGINE --out RUN` measures a "
            "judge"
        )

    if config.export:
        done()
        return None
    labelling.decisions.require_writable()
    if config.reveal is not None:  # so that no key waits for it
        Thread(target=load_libraries, daemon=True).start()
    framed = serve("label", labelling.answers, config, done)
    return framed and framed.replaces(f"label {config.run.resolve()}")
