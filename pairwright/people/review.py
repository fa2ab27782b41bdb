"""`pairwright review`: a page to go through a run's pairs, one key each."""

from concurrent.futures import ThreadPoolExecutor

from pairwright.people.agreement import in_words
from pairwright.people.config import ReviewConfig
from pairwright.people.notebook import Framed
from pairwright.people.serving import load_server, require_ui, serve
from pairwright.terminal.text import printable, say


def review(config: ReviewConfig) -> Framed | None:
    """Serve the page until Ctrl-C, and report the number of decisions; in a notebook show it there."""
    require_ui("krippendorff", "sklearn")
    from pairwright.people.queue import Rows
    from pairwright.people.wanted import Wanted

    rows = Rows(config.run, config.seed)
    beside = ThreadPoolExecutor(1)  # rows are read while what shows them is imported
    first = beside.submit(rows.view, Wanted(), config.order, dict)
    beside.submit(lambda: rows.index.sources)  # those that were dropped, while the first one is looked at
    beside.shutdown(wait=False)
    load_server()
    from pairwright.people.reviewing import Reviewing

    reviewing = Reviewing(rows, config.who, config.order)
    reviewing.decisions.require_writable()
    first.result()

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
