"""A pair as one text: what the rejected answer says, and what the chosen one says instead."""

from rich.text import Text

from pairwright.minimality import changed_spans

_OLD, _NEW = "red strike", "bold green"


def word_diff(rejected: str, chosen: str, *, markers: bool = False) -> Text:
    """The chosen answer with every change marked where it stands.

    Colours are for terminals; `markers` writes `[-old-]{+new+}`, as `git diff --word-diff` does.
    """
    diff = Text()
    end = 0
    for span in changed_spans(chosen, rejected):
        diff.append(chosen[end : span.chosen_start])
        old = rejected[span.rejected_start : span.rejected_end]
        new = chosen[span.chosen_start : span.chosen_end]
        if old:
            diff.append(f"[-{old}-]" if markers else old, style="" if markers else _OLD)
        if new:
            diff.append(f"{{+{new}+}}" if markers else new, style="" if markers else _NEW)
        end = span.chosen_end
    diff.append(chosen[end:])
    return diff
