"""Text that tries to be more than text, in every column that a model or a user can fill."""

import json
from pathlib import Path
from typing import Any

from runs_on_disk import write_jsonl

from revise import ReviseConfig, revise


def attacks(server: str) -> list[str]:
    """Strings that would run a script, send a request or break the page if they were not text."""
    return [
        f"<script>window.pwned=1;fetch('{server}/script')</script>",
        f"</script><script>window.pwned=2;new Image().src='{server}/closed'</script>",
        f"<img src='{server}/img' onerror='window.pwned=3'>",
        f"<svg onload='window.pwned=4'><image href='{server}/svg'/></svg>",
        f"<a href='javascript:window.pwned=5'>click</a><iframe src='{server}/frame'></iframe>",
        f"<style>@import '{server}/css'; body {{ background: url({server}/background) }}</style>",
        f"<link rel=stylesheet href='{server}/link'>",
        f"<meta http-equiv=refresh content='0;url={server}/meta'>",
        '" autofocus onfocus="window.pwned=6" x=\'',
        "line\u2028separator\u2029paragraph `${window.pwned=7}` ');window.pwned=8;//",
        "{{ 7 * 7 }} {% raw %} {# comment #} ${7*7} <%= 7*7 %>",
        "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202egnitirw desrever",
        "<!-- <!--<script> --!> ]]> &lt;script&gt;window.pwned=9&lt;/script&gt;",
    ]


def hostile_run(folder: Path, server: str) -> Path:
    """A finished run whose prompts, answers, revisions and rationales are attacks, kept and dropped."""
    rows: list[dict[str, Any]] = []
    replies: list[dict[str, Any]] = []
    for number, attack in enumerate(attacks(server)):
        asked = f"Question {number}: {attack}"
        answer = f"One two three four five six seven eight nine ten, says {attack} and so do I."
        rows.append({"prompt": asked, "response": answer, "completion_model": attack})
        text = answer.replace("ten", "eleven") if number % 4 else "nothing that can be read " + attack
        reply = f"<rationale>{attack}</rationale>\n<revision>{text}</revision>" if number % 4 else text
        replies.append({"match": f"Question {number}:", "text": reply})
    config = ReviseConfig(
        input=str(write_jsonl(folder / "rows.jsonl", rows)),
        reviser=f"canned:{write_jsonl(folder / 'replies.jsonl', replies)}",
        out=str(folder / "run"),
        retry=False,
        max_edit_distance=1.0,
        min_kept_share=0.0,
    )
    revise(config)
    counts = json.loads((folder / "run" / "run.json").read_text())["counts"]
    assert counts["kept"] >= 4, counts
    return folder / "run"
