"""`pairwright label`: a page to compare a run's pairs blind, and to see if its verdicts are right."""

from concurrent.futures import ThreadPoolExecutor
from threading import Thread

from pairwright.folders.claim import refuse_foreign_file
from pairwright.people.agreement import in_words, load_libraries
from pairwright.people.config import LabelConfig
from pairwright.people.notebook import Framed
from pairwright.people.serving import load_server, require_ui, serve
from pairwright.terminal.text import printable, say

LABELS = "labels.jsonl"


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
    refuse_foreign_file(path, b'"labelled_by"', setting="--labels")

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
    with ThreadPoolExecutor(1) as beside:  # a damaged file is told of before anybody labels
        read = beside.submit(labelling.rows.index.part, "data")
        load_server()
        read.result()
    if config.reveal is not None:  # so that no key waits for it
        Thread(target=load_libraries, daemon=True).start()
    framed = serve("label", labelling.answers, config, done)
    return framed and framed.replaces(f"label {config.run.resolve()}")
