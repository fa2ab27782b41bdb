"""The command line: one sentence for everything that cannot be done, and nothing done by halves."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import run
from runs_on_disk import TAGGED, write_jsonl

from pairwright.folders.shards import read_tables

SAMPLE = ["sample", "rows.jsonl", "--policy", "canned:replies.jsonl", "--out", "run"]
REVISE = ["revise", "rows.jsonl", "--reviser", "canned:replies.jsonl", "--out", "run"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with rows, replies, and things that are in the way."""
    monkeypatch.chdir(tmp_path)
    write_jsonl(
        tmp_path / "rows.jsonl", [{"prompt": "Q1", "response": "R1"}, {"prompt": "Q2", "response": "R2"}]
    )
    write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": "Q1"}])
    write_jsonl(tmp_path / "replies.jsonl", [{"text": TAGGED.format("R one")}])
    write_jsonl(tmp_path / "failing.jsonl", [{"failure": "it was called"}])
    (tmp_path / "broken.jsonl").write_text("{\n")
    (tmp_path / "mine.j2").write_text("{% block user %}{{ anwser }}{% endblock %}")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("precious")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "taken").write_text("a file")
    return tmp_path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


REFUSED: list[tuple[list[str], int, str]] = [
    (["revis"], 2, "no command 'revis'; did you mean revise?"),
    (["dance"], 2, "no command 'dance'; commands are sample, revise"),
    (["help"], 2, "no command 'help'; "),
    (["--bogus"], 2, "no option --bogus; see pairwright --help"),
    ([*SAMPLE, "--temprature", "1"], 2, "no option --temprature; did you mean --temperature?"),
    ([*SAMPLE, "--bogus", "1"], 2, "no option --bogus; see pairwright sample --help"),
    ([*SAMPLE[:2], "--polcy", "canned:x", "--out", "run"], 2, "no option --polcy; did you mean --policy?"),
    (["train", "--per_device_train_batch_size", "4"], 2, "did you mean --pairs_per_update?"),
    (["train", "--lr", "1e-5"], 2, "no option --lr; did you mean --learning_rate?"),
    (["train", "--rpo_alpha", "1"], 2, "no option --rpo_alpha; did you mean --sft_weight?"),
    ([*SAMPLE, "--no-n"], 2, "--no_n"),
    ([*SAMPLE, "-n", "3"], 2, "-n"),
    ([*SAMPLE, "more"], 2, "one argument too many: 'more'; see pairwright sample --help"),
    ([*SAMPLE, "--fresh", "yes"], 2, "--fresh takes no value: write --fresh or --no_fresh, not 'yes'"),
    ([*SAMPLE, "--limit", "2", "--dry_run", "2"], 2, "--dry_run takes no value"),
    (["sample"], 2, "--input and --out and --policy must be given; see pairwright sample --help"),
    (SAMPLE[:4], 2, "--out must be given"),
    (SAMPLE[:-1], 2, "--out needs a value"),
    (["stats"], 2, "--run must be given"),
    ([*SAMPLE, "--n", "0"], 2, "--n: Input should be greater than 0 (given: '0')"),
    ([*SAMPLE, "--n", "two"], 2, "--n: Input should be a valid integer"),
    ([*SAMPLE, "--n", "1.5"], 2, "--n: Input should be a valid integer"),
    ([*SAMPLE, "--n", "x" * 900], 2, "…)"),
    ([*SAMPLE, "--temperature", "nan"], 2, "--temperature: "),
    ([*SAMPLE, "--top-p", "1.5"], 2, "--top_p: Input should be less than or equal to 1"),
    ([*SAMPLE, "--limit", "0"], 2, "--limit: Input should be greater than 0"),
    (["merge", "", "--out", "x"], 2, "--inputs: is empty; name a file or folder"),
    (["decontaminate", "x", "--against", ",", "--out", "x"], 2, "--against: is empty"),
    ([*SAMPLE, "--dtype", "int8"], 2, "--dtype: must be: number format of a local model: `auto` (as"),
    ([*REVISE, "--direction", "up"], 2, "--direction: Input should be 'improve' or 'worsen' (given: 'up')"),
    ([*REVISE, "--min-kept-share", "7"], 2, "--min_kept_share: Input should be less than or equal to 1"),
    ([*REVISE, "--min_length_ratio", "3"], 2, "no revision could pass"),
    ([*REVISE, "--template", "revize"], 2, "revize: no such template; ours are judge"),
    ([*REVISE, "--template", "mine.j2"], 2, "mine: no variable `anwser`; there are prompt, answer"),
    (["sample", "gone.jsonl", *SAMPLE[2:]], 2, "gone.jsonl: no such file or folder"),
    (["sample", "broken.jsonl", *SAMPLE[2:]], 2, "broken.jsonl line 1: broken JSON"),
    (["sample", "foreign", *SAMPLE[2:]], 2, "foreign: is no run, and no data set"),
    (["revise", "prompts.jsonl", *REVISE[2:]], 2, "prompts.jsonl line 1: no answer to revise"),
    ([*SAMPLE, "--prompt_column", "ask"], 2,
     "no column `ask` (--prompt_column); its columns are `prompt`, `response`"),
    ([*REVISE, "--answer_column", "told"], 2, "no column `told` (--answer_column)"),
    ([*SAMPLE[:3], "gpt:4", "--out", "run"], 2, "'gpt:4': unknown engine; engines are hf:MODEL"),
    ([*SAMPLE[:3], "smollm2", "--out", "run"], 2, "'smollm2': unknown engine"),
    ([*SAMPLE[:3], "canned:gone.jsonl", "--out", "run"], 2, "no such file: gone.jsonl"),
    ([*SAMPLE[:3], "canned:broken.jsonl", "--out", "run"], 2, "broken.jsonl, line 1"),
    ([*SAMPLE[:3], "openai:m", "--out", "run"], 2, "write it as openai:MODEL@URL"),
    ([*SAMPLE[:3], "openai:m@http://u:secret@host/v1", "--out", "run"], 2, "no user or password"),
    ([*SAMPLE[:3], "hf:./gone", "--out", "run"], 2, "./gone: there is no such folder"),
    ([*SAMPLE[:3], "hf:model", "--out", "run"], 2, "model has no weights"),
    ([*SAMPLE[:3], "hf:foreign", "--out", "run"], 2, "foreign has no config.json"),
    ([*SAMPLE[:-1], "taken"], 2, "taken: is a file; name a folder for --out"),
    ([*SAMPLE[:-1], "taken/run"], 1, "taken/run: cannot be a folder (Not a directory)"),
    ([*SAMPLE[:-1], "foreign"], 2, "foreign: holds other files (thesis.tex)"),
    ([*SAMPLE[:-1], "foreign", "--fresh"], 2, "foreign: holds other files (thesis.tex)"),
    ([*SAMPLE[:-1], "foreign", "--preview"], 2, "foreign: holds other files"),
    ([*SAMPLE[:3], "gpt:4", "--out", "run", "--preview"], 2, "unknown engine"),
    ([*SAMPLE[:3], "canned:gone.jsonl", "--out", "run", "--dry_run"], 2, "no such file"),
    (["stats", "gone"], 2, "gone: no such folder"),
    (["stats", "foreign"], 2, "foreign: holds no figures: no run.json"),
    (["stats", "taken"], 2, "taken: is a file; name the folder it is in"),
    (["train"], 2, "must be given; see pairwright train --help"),
]  # fmt: skip


@pytest.mark.parametrize(("argv", "code", "sentence"), REFUSED, ids=[" ".join(r[0])[:60] for r in REFUSED])
def test_what_cannot_be_done_is_one_sentence(
    folder: Path, capfd: pytest.CaptureFixture[str], argv: list[str], code: int, sentence: str
) -> None:
    before = tree(folder)
    found, out, err = run(capfd, *argv)
    assert sentence in err
    assert "secret" not in err
    assert err.startswith("pairwright: ")
    assert err.count("\n") == 1
    assert len(err) < 500
    assert (found, out) == (code, "")
    assert tree(folder) == before


def test_text_of_others_cannot_repaint_the_terminal(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(folder / "rows.jsonl", [{"pro\x1b[31m\nmpt\u202e": "Q"}])
    code, _, err = run(capfd, *SAMPLE)
    assert code == 2
    assert err.count("\n") == 1
    assert "`pro\\x1b[31m mpt\\u202e`" in err
    write_jsonl(
        folder / "rows.jsonl", [{"prompt": "a\x1b]0;pwned\x07\nb [bold]c[/bold] [/]", "response": "d"}]
    )
    code, out, err = run(capfd, *REVISE, "--preview")
    assert (code, err) == (0, "")
    assert "a\\x1b]0;pwned\\x07\nb [bold]c[/bold] [/]" in out


def test_a_folder_of_other_settings_is_refused_by_name(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(capfd, *REVISE)[0] == 0
    before = tree(folder / "run")
    more = ["sample", *REVISE[1:2], "--policy", *REVISE[3:]]
    assert (
        "run: belongs to a run with other settings: `stage` was 'revise' and is now 'sample'"
        in run(capfd, *more)[2]
    )
    for change, named in (
        (["--temperature", "0.1"], "`temperature` was 0.7 and is now 0.1"),
        (["--direction", "worsen"], "`direction` was 'improve' and is now 'worsen'"),
        (["--limit", "1"], "`limit` was None and is now 1"),
        (["--reviser", "canned:failing.jsonl"], "`reviser model` was 'canned:"),
    ):
        code, out, err = run(
            capfd, *(REVISE[:2] + REVISE[4:] if "--reviser" in change else REVISE), *change
        )
        assert (code, out, err.count("\n")) == (2, "", 1), change
        assert f"run: belongs to a run with other settings: {named}" in err
        assert "--fresh" in err
        assert tree(folder / "run") == before


@pytest.mark.parametrize("flag", ["--preview", "--dry_run", "--dry-run"])
@pytest.mark.parametrize("command", ["sample", "revise"])
def test_a_look_beforehand_asks_nothing_and_writes_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str], flag: str, command: str
) -> None:
    role = {"sample": "--policy", "revise": "--reviser"}[command]
    before = tree(folder)
    argv = [command, "rows.jsonl", role, "canned:failing.jsonl", "--out", "run", flag]
    code, out, err = run(
        capfd, *argv, *(["--policy", "canned:failing.jsonl"] if command == "revise" else [])
    )
    assert (code, err) == (0, "")
    assert "it was called" not in out
    assert ("Q1" in out and "Q2" in out) if flag == "--preview" else "completion tokens" in out
    assert max(len(line) for line in out.splitlines() if "─" in line or "│" in line) <= 80
    assert tree(folder) == before


def test_a_dry_run_counts_what_a_run_asks(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capfd, *SAMPLE, "--n", "7", "--max_tokens", "100", "--dry_run")
    assert re.search(r"policy +│ canned:\S+ +│ +14 │ +14 │ +1,400 │", out)
    _, out, _ = run(
        capfd, "revise", "prompts.jsonl", *REVISE[2:], "--policy", "canned:replies.jsonl", "--dry_run"
    )
    assert re.search(r"policy +│ canned:\S+ +│ +1 │ +1 │ +512 │", out)
    assert re.search(r"reviser +│ canned:\S+ +│ +1 │", out)


@pytest.mark.parametrize(("protocol", "requests"), [("text", "4"), ("choice", "8")])
def test_a_dry_run_counts_every_turn_of_a_judge(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], protocol: str, requests: str
) -> None:
    """Two rows in both orders; `choice` asks for a label after the reasoning."""
    rows = [{"prompt": f"Q{n}?", "responses": [f"a{n}", f"b{n}"]} for n in range(2)]
    canned = write_jsonl(tmp_path / "replies.jsonl", [{"text": "A"}])
    argv = ["judge", str(write_jsonl(tmp_path / "rows.jsonl", rows)), "--judge", f"canned:{canned}"]
    _, out, _ = run(capfd, *argv, "--protocol", protocol, "--out", str(tmp_path / "run"), "--dry_run")
    assert re.search(rf"judge +│[^│]+│ +{requests} │", out), out


def test_a_dry_run_counts_what_a_verifier_is_asked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A judge reasons about each answer and its revision, in both orders, and is then asked for a label."""
    rows = [{"prompt": f"Q{n}?", "response": "An answer of some length."} for n in range(3)]
    argv = ["revise", str(write_jsonl(tmp_path / "rows.jsonl", rows)), "--out", str(tmp_path / "run")]
    engine = f"canned:{write_jsonl(tmp_path / 'replies.jsonl', [{'text': 'A'}])}"
    _, out, _ = run(capfd, *argv, "--reviser", engine, "--verify", engine, "--dry_run")
    assert re.search(r"reviser +│[^│]+│ +3 │", out), out
    assert re.search(r"verifier +│[^│]+│ +12 │", out), out


def test_hyphens_and_underscores_are_the_same(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, _, _ = run(capfd, *REVISE, "--max-tokens", "9", "--no-retry", "--min-kept-share=0.25")
    assert code == 0
    settings = json.loads((folder / "run" / "run.json").read_text())["config"]
    assert (settings["max_tokens"], settings["retry"], settings["min_kept_share"]) == (9, False, 0.25)


def test_commands_in_one_process_do_not_disturb_each_other(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(capfd, *SAMPLE)[0] == 0
    assert run(capfd, "revise", "run", *REVISE[2:-1], "pairs")[0] == 0
    assert run(capfd, *SAMPLE)[0] == 0
    code, out, _ = run(capfd, "stats", "pairs")
    assert (code, "revise" in out) == (0, True)
    assert sum(t.num_rows for t in read_tables(folder / "run")) == 8


def test_a_short_command_loads_little_and_what_it_left_out_can_still_be_loaded(folder):
    code = (
        "import sys\n"
        "from pairwright.cli.app import main\n"
        "main(['dedup', 'rows.jsonl', '--out', 'run'])\n"
        "heavy = ('pandas', 'huggingface_hub', 'torch', 'transformers', 'datasets')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "import pyarrow as pa\n"
        "print(pa.table({'n': [1, 2]}).to_pandas()['n'].tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["[]", "[1, 2]"]
