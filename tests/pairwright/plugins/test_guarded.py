"""Code of the user's own that fails while it runs, wherever it is named: one sentence, and work is kept."""

from pathlib import Path

import pytest
from in_process import run
from runs_on_disk import write_jsonl
from tiny_model import save_tiny_model

PAIRS = [
    {"prompt": f"Q{n}?", "chosen": f"It is {n} now.", "rejected": f"It was {n} now."} for n in range(6)
]
PROTOCOL = """
class Own:
    pointwise, templates = True, {{}}
    def __init__(self, config, judges): {}
    def votes(self, judge, case, pairs):
        yield []
        {}
"""
GATES = {
    "return 1 / 0": "ZeroDivisionError: division by zero (own.py, line 2)",
    "return True": "gave True, where None, or an `Ending` with a status is due",
    "return ('mine', 'why')": "gave ('mine', 'why'), where None, or an `Ending`",
    "from pairwright.records import Ending; return Ending('')": "gave Ending(status='', reason='')",
}
LOSSES = {
    "raise ValueError('what\\nis it')": "ValueError: what is it (own.py, line 2)",
    "return None": "gave None, where a loss of each pair, a tensor of shape (",
    "return (delta_w - delta_l).mean()": "a loss of each pair, a tensor of shape (",
    "return (delta_w - delta_l).detach()": "where a value that depends on what it was given is due",
}
VOTES = {
    ("pass", "raise ValueError('oops')"): "ValueError: oops (own.py, line 7)",
    ("raise ValueError('oops')", "pass"): "ValueError: oops (own.py, line 4)",
    ("pass", "return 3"): "gave 3, where a list of votes for each of 1 pairs is due",
    ("pass", "return [['first']]"): "gave [['first']], where a list of votes",
}


def refused(capfd: pytest.CaptureFixture[str], name: str, *argv: str) -> str:
    code, _, err = run(capfd, *argv)
    assert code == 1, err
    last = err.splitlines()[-1]
    assert last.startswith(f"pairwright: {name}: ")
    assert last.endswith("; finished work is kept: mend it and run the same command again")
    return last


@pytest.mark.parametrize("body", GATES)
def test_gates(tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        f"def own(revision, config):\n    {body}\ndef mend(prompt, answer, row): return answer + '!'\n"
    )
    pairs = str(write_jsonl(tmp_path / "pairs.jsonl", PAIRS))
    revise = ["revise", pairs, "--answer_column", "rejected", "--reviser", f"python:{own}:mend"]
    for command in (["gate", pairs], revise):
        flags = ["--gates", f"{own}:own", "--out", str(tmp_path / command[0])]
        assert GATES[body] in refused(capfd, f"{own}:own", *command, *flags)


@pytest.mark.parametrize(("begun", "asked"), VOTES)
def test_protocols_of_judges(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], begun: str, asked: str
) -> None:
    own = tmp_path / "own.py"
    own.write_text(PROTOCOL.format(begun, asked))
    pairs = write_jsonl(tmp_path / "pairs.jsonl", PAIRS)
    replies = write_jsonl(tmp_path / "replies.jsonl", [{"text": "A"}])
    command = ["judge", str(pairs), "--judge", f"canned:{replies}", "--protocol", f"{own}:Own"]
    assert VOTES[begun, asked] in refused(capfd, f"{own}:Own", *command, "--out", str(tmp_path / "run"))


@pytest.mark.parametrize("body", LOSSES)
def test_losses(tmp_path: Path, capfd: pytest.CaptureFixture[str], body: str) -> None:
    own = tmp_path / "own.py"
    own.write_text(f"def own(delta_w, delta_l, *, beta):\n    {body}\n")
    command = ["train", "--data", str(write_jsonl(tmp_path / "pairs.jsonl", PAIRS)), "--use_cpu"]
    command += ["--model", save_tiny_model(tmp_path / "model"), "--loss", f"{own}:own", "--max_steps", "1"]
    assert LOSSES[body] in refused(capfd, f"{own}:own", *command, "--output_dir", str(tmp_path / "out"))
