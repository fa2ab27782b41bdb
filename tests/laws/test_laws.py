"""Laws that hold for whatever rows a command is given, tried on generated ones.

Rows in are rows kept and dropped. Every text that comes out stands letter for letter in the input or in
what a model answered. All of a prompt is shown, and training tokenises what sampling showed. What a
server was asked is in the journal, and nothing else. The order of rows, names of columns, the size of
shards and how much is asked at once change no row.
"""

import json
import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import recorded
from any_rows import case
from chat_styles import tooled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_process import quietly
from lawful import accounted_for, content_of, messages_of, said, same, shown, whole

from pairwright.errors import UsageError
from pairwright.folders.manifest import load_manifest
from pairwright.folders.versions import versions
from pairwright.inputs.beside import columns_beside
from pairwright.inputs.pairs import read_pairs
from pairwright.models.chat import encode_prompt
from pairwright.records import stored
from train.data.pairs import encode_pairs

FEW, MANY = 300, 20_000


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Engines that log what they are asked; no waiting for disks, no cards, versions looked up once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        there = versions()
        patch.setattr("pairwright.stages.run.versions", lambda: there)
        for module in ("pairwright.stages.run", "pairwright.sift.folder"):
            patch.setattr(f"{module}.write_card", lambda folder, manifest: None)
        yield


def sampled(number: int, folder: Path) -> None:
    found = case(number, "none")
    argv = lambda rows, out: f"sample {rows} --policy recorded:policy --n 2 --out {out}".split()  # noqa: E731
    quietly(*argv(str(found.write(folder)), str(folder / "run")))
    rows = whole(folder / "run", 2 * len(found.rows))
    accounted_for(folder / "run")
    answers = {completion.text for _, completion in recorded.LOG}
    assert {said(row, "completion") for row in rows} <= answers | {None}
    asked = Counter(shown(job.request.messages) for job, _ in recorded.LOG)
    assert asked == Counter({tuple(p): 2 * n for p, n in Counter(map(tuple, found.prompts)).items()})
    assert Counter(tuple(messages_of(row)) for row in rows) == asked
    tokenizer = tooled()
    request = recorded.LOG[0][0].request
    pair = {"prompt": stored(request.messages), "chosen": "a b", "rejected": "b a"}
    pair |= columns_beside(request.messages)
    (folder / "one.jsonl").write_text(json.dumps(pair))
    kept, _ = encode_pairs(read_pairs([f"{folder}/one.jsonl"]), tokenizer, 100_000)
    assert kept[0].prompt_tokens.tolist() == encode_prompt(tokenizer, request.messages)
    same(rows, folder, found, argv, number)


def revised(number: int, folder: Path) -> None:
    found = case(number, "one")
    mode = ("rewrite", "edits")[number % 2]
    argv = lambda rows, out: (  # noqa: E731
        f"revise {rows} --reviser recorded:reviser --mode {mode} --out {out}".split() + found.flags
    )
    quietly(*argv(str(found.write(folder)), str(folder / "run")))
    rows = whole(folder / "run", len(found.rows))
    accounted_for(folder / "run")
    given = Counter(texts[0] for texts in found.answers)
    assert Counter(said(row, "rejected") for row in rows) == given
    form = "<rationale>\nwhy\n</rationale>\n<revision>\n"
    texts = (completion.text for _, completion in recorded.LOG)
    completions = {text.removeprefix(form).removesuffix("\n</revision>") for text in texts}
    for row in rows:
        chosen = said(row, "chosen")
        assert messages_of(row) in found.prompts
        if mode == "rewrite" and chosen is not None:
            assert chosen in completions
        if row.get("status") == "no_change":
            assert chosen == said(row, "rejected")
        if "status" not in row:
            assert chosen != said(row, "rejected")
    same(rows, folder, found, argv, number)


def judged(number: int, folder: Path) -> None:
    form = ("two", "list", "objects", "pair", "parts", "whole")[number % 6]
    found = case(number, form)
    if all(len({text.strip() for text in texts}) < 2 for texts in found.answers):
        return  # nothing to compare anywhere, which is refused
    argv = lambda rows, out: (  # noqa: E731
        f"judge {rows} --judge recorded:judge --min_margin 0 --out {out}".split() + found.flags
    )
    quietly(*argv(str(found.write(folder)), str(folder / "run")), codes=(0, 1))
    listed = form in ("list", "objects")  # those of one prompt are one row of work
    rows = whole(folder / "run", len(set(map(tuple, found.prompts))) if listed else len(found.rows))
    accounted_for(folder / "run")
    for row in rows:
        given = [set(t) for p, t in zip(found.prompts, found.answers, strict=True) if p == messages_of(row)]
        assert given
        if said(row, "chosen") is not None:
            met = {said(row, "chosen"), said(row, "rejected")}
            assert met <= set().union(*given) if listed else met in given
    if len(rows) == len(found.rows) or number // 6 % 4:  # the order of lists is that of their answers
        same(rows, folder, found, argv, number // 6)


def grouped(number: int, folder: Path) -> None:
    """Answers to one prompt, one to a row, in any order: each prompt is one row of work."""
    found = case(number, "rows")
    answers: dict[tuple[tuple[str, str], ...], set[str]] = {}
    for prompt, texts in zip(found.prompts, found.answers, strict=True):
        answers.setdefault(tuple(prompt), set()).update(texts)
    if all(len({text.strip() for text in texts}) < 2 for texts in answers.values()):
        return
    command = (
        f"judge {found.write(folder)} --judge recorded:judge --min_margin 0 --pairs all --out {folder}/run"
    )
    quietly(*command.split(), codes=(0, 1))
    rows = whole(folder / "run", len(answers))
    met: dict[tuple[tuple[str, str], ...], set[str]] = {}
    for row in rows:
        texts = {text for side in ("chosen", "rejected") if (text := said(row, side)) is not None}
        met.setdefault(tuple(messages_of(row)), set()).update(texts)
    assert met.keys() == answers.keys()
    for prompt, texts in met.items():
        assert texts <= answers[prompt]
        distinct = {text.strip() for text in answers[prompt]}
        assert not texts or len(distinct) > 1


def sifted(number: int, folder: Path) -> None:
    found = case(number, ("pair", "parts", "whole")[number % 3])
    source = found.write(folder)
    quietly("merge", str(source), "--out", str(folder / "run"))
    rows = whole(folder / "run", len(found.rows))
    expected = Counter(
        (tuple(prompt), *texts) for prompt, texts in zip(found.prompts, found.answers, strict=True)
    )
    assert (
        Counter((tuple(messages_of(r)), said(r, "chosen"), said(r, "rejected")) for r in rows) == expected
    )
    for row, there in zip(rows, found.rows, strict=True):
        for name in there.keys() & {"tag", "note"}:
            assert row[name] == there[name]
    quietly("dedup", str(folder / "run"), "--near", "1", "--out", str(folder / "unique"))
    whole(folder / "unique", load_manifest(folder / "run").kept_rows)
    if quietly(
        "split", str(folder / "run"), "--test_share", "0.5", "--out", str(folder / "parted"), codes=(0, 2)
    ):
        return
    parts = [
        {shown(pair.prompt) for pair in read_pairs([f"{folder}/parted:{part}"])}
        for part in ("train", "test")
    ]
    assert not parts[0] & parts[1]
    for command in (["export", f"{folder}/parted", "--to", "trl"], ["stats", f"{folder}/parted"]):
        out = ["--out", str(folder / "x")] if command[0] == "export" else []
        assert quietly(*command, *out, codes=(2,)) == 2


def exported(number: int, folder: Path) -> None:
    """What another trainer is given is what ours reads: whole prompts, answers letter for letter."""
    found = case(number, ("pair", "parts", "whole")[number % 3], tools=False)
    source = str(found.write(folder))
    quietly("export", source, "--to", "jsonl", "--out", str(folder / "all"))
    lines = (folder / "all/train.jsonl").read_text().split("\n")[:-1]
    assert len([json.loads(line) for line in lines]) == len(found.rows)
    told = [(p, t) for p, t in zip(found.prompts, found.answers, strict=True) if t[0] != t[1]]
    if quietly("export", source, "--to", "openrlhf", "--out", str(folder / "pairs"), codes=(0, 1)):
        assert not told
        return
    rows = [json.loads(line) for line in (folder / "pairs/train.jsonl").read_text().split("\n")[:-1]]
    assert [(messages_of(row), [said(row, "chosen"), said(row, "rejected")]) for row in rows] == told
    ours = [pair for pair in read_pairs([source]) if pair.chosen != pair.rejected]
    theirs = list(read_pairs([str(folder / "pairs")]))
    assert [pair[1:4] for pair in theirs] == [pair[1:4] for pair in ours]


def chained(number: int, folder: Path) -> None:
    """Answers, revisions, and what is trained on: nothing is lost or touched on the way."""
    found = case(number, "none")
    quietly(*f"sample {found.write(folder)} --policy recorded:policy --n 2 --out {folder}/answers".split())
    answers = [row for row in whole(folder / "answers", 2 * len(found.rows)) if "status" not in row]
    if not answers:
        return
    recorded.LOG.clear()
    quietly(*f"revise {folder}/answers --reviser recorded:reviser --out {folder}/run".split())
    rows = whole(folder / "run", len(answers))
    accounted_for(folder / "run")
    assert Counter((tuple(messages_of(r)), said(r, "rejected")) for r in rows) == Counter(
        (tuple(messages_of(r)), said(r, "completion")) for r in answers
    )
    kept = [row for row in rows if "status" not in row]
    if len(kept) < len(rows):
        with pytest.raises(UsageError, match="rows that a run did not keep"):
            list(read_pairs([str(folder / "run/dropped")]))
    if not kept:
        return
    pairs = list(read_pairs([str(folder / "run")]))
    assert [pair.row_id for pair in pairs] == [row["row_id"] for row in kept]
    tokenizer = tooled()
    encoded, dropped = encode_pairs(pairs, tokenizer, 100_000)
    assert len(encoded) + sum(map(len, dropped.values())) == len(kept)
    for pair, ids in zip(pairs, encoded, strict=False) if not dropped else ():
        assert ids.prompt_tokens.tolist() == encode_prompt(tokenizer, pair.prompt)


def with_bad_rows(number: int, folder: Path) -> None:
    """Rows that cannot be read are counted and named, and change nothing of the others."""
    found = case(number, "one")._replace(kind="jsonl")
    source = found.write(folder)
    command = "revise {} --reviser recorded:reviser --out {} --answer_column reply"
    quietly(*command.format(source, folder / "run").split())
    good = whole(folder / "run", len(found.rows))
    draw = random.Random(number)
    bad = [draw.choice(("{", "7", "[]", '"text"', '{"reply": "no prompt"}', "\x00")) for _ in range(3)]
    lines = source.read_text().split("\n")[:-1]
    for line in bad:
        lines.insert(draw.randint(0, len(lines)), line)
    spoilt = folder / "spoilt.jsonl"
    spoilt.write_text("".join(f"{line}\n" for line in lines))
    flags = ["--skip_bad_rows", "2"]
    assert quietly(*command.format(spoilt, folder / "spoilt").split(), *flags, codes=(2,)) == 2
    flags = ["--skip_bad_rows", "3"]
    quietly(*command.format(spoilt, folder / "spoilt").split(), *flags)
    rows = whole(folder / "spoilt", len(found.rows) + 3)
    passed_over = [row for row in rows if row.get("status") == "bad_row"]
    assert len(passed_over) == 3
    assert all(f"{spoilt} line " in row["reason"] for row in passed_over)
    assert content_of([r for r in rows if r.get("status") != "bad_row"]) == content_of(good)


def laid_out(number: int, folder: Path) -> None:
    """Of a folder one split is read, or nothing: never test rows with the others, never rows twice."""
    train, test = case(number, "pair"), case(number + 1, "pair")
    names = (
        ("train.{}", "test.{}"),
        ("data/train-00000-of-00001.{}", "data/test-00000-of-00001.{}"),
        ("train/part.{}", "test/part.{}"),
        ("one/rows.{}", "two/rows.{}"),
        ("one/data/train-00000-of-00001.{}", "two/data/train-00000-of-00001.{}"),
    )[number % 5]
    ending = ("jsonl", "parquet")[number % 2]
    place = folder / "set"
    for part, name in zip((train, test), names, strict=True):
        path = place / name.format(ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        part._replace(kind=ending).write(path.parent, path.stem)
    for command in (
        f"merge {place}",
        f"export {place} --to trl",
        f"sample {place} --policy recorded:policy",
    ):
        quietly(*command.split(), "--out", str(folder / "out"), codes=(2,))
    if number % 5 < 3:
        for part, name in ((train, "train"), (test, "test")):
            read = Counter(shown(pair.prompt) for pair in read_pairs([f"{place}:{name}"]))
            assert read == Counter(map(tuple, part.prompts))


LAWS = (sampled, revised, judged, grouped, sifted, exported, chained, with_bad_rows, laid_out)


def hold(number: int, root: Path) -> None:
    """One case: a command, a file of rows for it, and its laws."""
    folder = root / "case"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    recorded.LOG.clear()
    LAWS[number % len(LAWS)](number // len(LAWS), folder)


ANY = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(ANY, max_examples=FEW)
@given(st.integers(0, 10**9))
def test_laws_hold(tmp_path_factory: pytest.TempPathFactory, number: int) -> None:
    hold(number, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@pytest.mark.timeout(0)
@settings(ANY, max_examples=int(os.environ.get("PAIRWRIGHT_LAWS", MANY)))
@given(st.integers(0, 10**12))
def test_laws_hold_for_many(tmp_path_factory: pytest.TempPathFactory, number: int) -> None:
    hold(number, tmp_path_factory.getbasetemp())
