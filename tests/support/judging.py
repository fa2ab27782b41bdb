"""Three answers to a prompt, and a run of `judge` on them by a planted judge."""

from planted_judge import candidates, plant, seed
from runs_on_disk import write_jsonl

from judge.command import judge
from judge.config import JudgeConfig
from judge.stage import JudgeStage

ABC = "one,two,three"


def three_answers(folder, rows=12):
    """Answers whose number says how good they are; row 5 has equal ones, row 7 only one."""
    records = [
        {"prompt": f"Q{n}?", "one": f"grade 1 of {n}", "two": f"grade 2 of {n}", "three": f"grade 3 of {n}"}
        for n in range(rows)
    ]
    if rows > 7:
        records[5] |= {"one": "same", "two": "same", "three": " same"}
        records[7] |= {"one": "", "two": None}
    return write_jsonl(folder / "three.jsonl", records)


def better(asked):
    return asked.first > asked.second


def settings(folder, **more):
    values = {
        "input": str(folder / "three.jsonl"), "columns": ABC, "out": str(folder / "run"), "shard_size": 5,
        "judge": f"canned:{seed(folder / 'judge.jsonl')}",
    }  # fmt: skip
    return JudgeConfig(**(values | more))


def judged(folder, config, reply, rows=None):
    """The manifest of a run by a planted judge."""
    rows = rows or candidates(folder / "three.jsonl", *(config.columns or ABC).split(","))
    plant(folder / "judge.jsonl", JudgeStage(config), rows, reply)
    manifest = judge(config)
    assert manifest is not None
    return manifest
