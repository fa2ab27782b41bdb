"""Merging, parting, and sifting: no row lost, none doubled, every dropped one with its reason."""

import json
import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import run
from runs_on_disk import files_of, revise_config, rows_of, write_jsonl

from pairwright.folders.manifest import load_manifest
from pairwright.folders.shards import read_tables
from pairwright.sift.dedup import DedupConfig, dedup
from pairwright.sift.shingles import runs, words_of
from pairwright.sift.whole import WholeRows
from revise import revise

WORDS = [f"word{n}" for n in range(400)]


def text(seed: int, words: int = 40) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def pair(prompt: str, chosen: str = "Yes.", rejected: str = "No.", **more: object) -> dict[str, object]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, **more}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    revise(revise_config(folder, rows=60))
    return folder / "run"


def statuses(folder: Path) -> dict[str, int]:
    """Rows by status, counted on the disk and equal to what the folder says."""
    found = Counter(row.get("status", "kept") for row in rows_of(folder))
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["counts"] == dict(found)
    assert manifest["items"] == sum(found.values())
    assert manifest["complete"]
    return dict(found)


def done(capfd, *argv: object) -> str:
    code, out, err = run(capfd, *map(str, argv))
    assert (code, err) == (0, ""), err
    return out


def test_a_merged_run_has_the_rows_of_both_unchanged(pairs, tmp_path, capfd):
    more = write_jsonl(tmp_path / "more.jsonl", [pair("Q?", tag=7), pair("R?", tag=8)])
    done(capfd, "merge", pairs, more, "--out", tmp_path / "both", "--shard_size", 10)
    assert statuses(tmp_path / "both") == {"kept": 44}
    merged = {row["row_id"]: row for row in rows_of(tmp_path / "both")}
    before = [row for row in rows_of(pairs) if "status" not in row]
    for row in before:
        assert merged[row["row_id"]] == row
    [own] = [row for row in merged.values() if row["prompt"] == [{"role": "user", "content": "Q?"}]]
    assert own["chosen"] == [{"role": "assistant", "content": "Yes."}]
    assert (own["tag"], own["edit_distance"]) == (7, None)
    assert len({str(t.schema.remove_metadata()) for t in read_tables(tmp_path / "both")}) == 1
    before, after = (next(read_tables(folder)).schema for folder in (pairs, tmp_path / "both"))
    for name in ("reasoning_tokens", "chosen_model"):  # the first is null everywhere
        assert after.field(name).type == before.field(name).type
    done(capfd, "merge", tmp_path / "both", pairs, "--out", tmp_path / "again")
    assert statuses(tmp_path / "again") == {"kept": 44, "duplicate": 42}


def test_a_row_that_is_there_twice_stays_once(pairs, tmp_path, capfd):
    done(capfd, "merge", pairs, pairs / "data", "--out", tmp_path / "both")
    assert statuses(tmp_path / "both") == {"kept": 42, "duplicate": 42}
    reasons = {row["reason"] for row in rows_of(tmp_path / "both") if "status" in row}
    assert f"the same row as {pairs} row 1" in reasons


@pytest.mark.parametrize("name", ["completion", "response", "output", "answer"])
@pytest.mark.parametrize("command", ["merge", "dedup"])
def test_other_answers_to_a_prompt_are_other_rows(tmp_path, capfd, name, command):
    answers = ["Rome lies on the Tiber.", "Romulus built it, they say.", "Rome lies on the Tiber."]
    rows = write_jsonl(tmp_path / "rows.jsonl", [{"prompt": "Tell me of Rome", name: a} for a in answers])
    done(capfd, command, rows, "--out", tmp_path / "out")
    assert statuses(tmp_path / "out") == {"kept": 2, "duplicate": 1}


def test_the_same_id_on_different_rows_makes_neither_a_duplicate(tmp_path, capfd):
    first = write_jsonl(tmp_path / "a.jsonl", [pair("Q?", row_id="1")])
    second = write_jsonl(tmp_path / "b.jsonl", [pair("R?", row_id="1")])
    done(capfd, "merge", first, second, "--out", tmp_path / "both")
    assert statuses(tmp_path / "both") == {"kept": 2}
    assert len({row["row_id"] for row in rows_of(tmp_path / "both")}) == 2


def test_no_prompt_is_in_both_parts(tmp_path, capfd):
    rows = [pair(f"Question {n % 100}?", chosen=f"Answer {n}.") for n in range(300)]
    rows += [pair("  QUESTION 7? ", chosen="Another one.")]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    done(capfd, "split", source, "--test_share", 0.3, "--out", tmp_path / "parts")
    train, test = (rows_of(tmp_path / "parts" / part) for part in ("train", "test"))
    assert len(train) + len(test) == 301
    prompts = [{row["prompt"][0]["content"].strip().lower() for row in part} for part in (train, test)]
    assert prompts[0] & prompts[1] == set()
    assert 15 <= len(prompts[1]) <= 45
    done(capfd, "split", source, "--test_share", 0.3, "--seed", 1, "--out", tmp_path / "other")
    other = {row["prompt"][0]["content"].strip().lower() for row in rows_of(tmp_path / "other" / "test")}
    assert other != prompts[1]
    assert statuses(tmp_path / "parts" / "train") == {"kept": len(train)}


def test_exact_and_near_repeats_are_dropped_and_named(tmp_path, capfd):
    base = text(1, 60)
    near = base.replace(base.split()[30], "changed", 1)
    rows = [
        pair("Q1?", chosen=base),
        pair("q1?", chosen=base.upper()),
        pair("Q1?", chosen=near),
        pair("Q2?", chosen=text(2, 60)),
    ]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    done(capfd, "dedup", source, "--out", tmp_path / "out")
    assert statuses(tmp_path / "out") == {"kept": 2, "duplicate": 2}
    reasons = [row["reason"] for row in rows_of(tmp_path / "out") if row.get("status") == "duplicate"]
    assert reasons[0] == f"says what {source} line 1 says"
    assert reasons[1].endswith(f"of its runs of 3 words with {source} line 1")
    done(capfd, "dedup", source, "--near", 1, "--out", tmp_path / "exact")
    assert statuses(tmp_path / "exact") == {"kept": 3, "duplicate": 1}
    done(capfd, "dedup", source, "--on", "prompt", "--out", tmp_path / "prompts")
    assert statuses(tmp_path / "prompts") == {"kept": 2, "duplicate": 2}


def shingles(text: str) -> set[str]:
    return set(runs(words_of(text), 3))


def jaccard(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)


def test_every_dropped_row_is_as_near_as_was_said(tmp_path):
    """Against all pairs measured: nothing dropped that is not near, and hardly anything near kept."""
    draw = random.Random(0)
    texts = []
    for n in range(150):
        words = text(n, 50).split()
        texts.append(" ".join(words))
        for _ in range(draw.randrange(3)):
            share = draw.choice([0.02, 0.1, 0.3])
            texts.append(" ".join(draw.choice(WORDS) if draw.random() < share else w for w in words))
    source = write_jsonl(tmp_path / "rows.jsonl", [{"prompt": t} for t in texts])
    dedup(DedupConfig(inputs=(str(source),), out=str(tmp_path / "out"), near=0.7))
    rows = rows_of(tmp_path / "out")
    kept = [shingles(r["prompt"][0]["content"]) for r in rows if "status" not in r]
    dropped = [shingles(r["prompt"][0]["content"]) for r in rows if "status" in r]
    assert len(kept) + len(dropped) == len(texts)
    assert len(dropped) > 20
    assert all(max(jaccard(d, k) for k in kept) >= 0.7 for d in dropped)
    left = sum(jaccard(a, b) >= 0.7 for i, a in enumerate(kept) for b in kept[:i])
    assert left <= 1


def test_rows_that_a_test_knows_are_dropped_and_the_words_named(tmp_path, capfd):
    asked = "Natalia sold clips to forty eight of her friends in April and then half as many in May."
    tests = write_jsonl(
        tmp_path / "test.jsonl", [{"question": asked, "answer": "72"}, {"question": "What is up?"}]
    )
    rows = [
        pair(f"Solve this: {asked.upper()}"),
        pair("Fine?", chosen=f"As they say, {asked[:70]} and so on."),
        pair("what is UP"),
        pair("What is up with Natalia, who sold clips to nobody at all in April or in May of last year?"),
        pair("72"),
    ]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    done(capfd, "decontaminate", source, "--against", tests, "--out", tmp_path / "out")
    assert statuses(tmp_path / "out") == {"kept": 2, "contaminated": 3}
    reasons = [row["reason"] for row in rows_of(tmp_path / "out") if "status" in row]
    assert reasons[0].startswith(f"shares 13 words with {tests} line 1: “natalia sold clips to forty eight")
    assert reasons[2] == f"its prompt is {tests} line 2"
    done(capfd, "decontaminate", source, "--against", tests, "--words", 16, "--out", tmp_path / "long")
    assert statuses(tmp_path / "long") == {"kept": 3, "contaminated": 2}


def test_a_second_run_changes_nothing_and_another_setting_is_refused(pairs, tmp_path, capfd):
    argv = ["dedup", pairs, "--out", tmp_path / "out"]
    done(capfd, *argv)
    before = files_of(tmp_path / "out")
    done(capfd, *argv)
    assert files_of(tmp_path / "out") == before
    code, out, err = run(capfd, *map(str, argv), "--near", "0.9")
    assert (code, out) == (2, "")
    assert "belongs to a run with other settings: `near` was 0.8 and is now 0.9" in err
    done(capfd, *argv, "--near", "0.9", "--fresh")


def test_another_content_of_the_test_set_is_another_setting(pairs, tmp_path, capfd):
    tests = write_jsonl(tmp_path / "test.jsonl", [{"question": "What is 4 plus one?"}])
    argv = ["decontaminate", pairs, "--against", tests, "--out", tmp_path / "out"]
    done(capfd, *argv)
    assert statuses(tmp_path / "out") == {"kept": 41, "contaminated": 1}
    write_jsonl(tests, [{"question": "What is 6 plus one?"}])
    code, _, err = run(capfd, *map(str, argv))
    assert code == 2
    assert "`content of against` was" in err


def test_a_torn_folder_is_mended(pairs, tmp_path, capfd):
    argv = ["merge", pairs, "--out", tmp_path / "out", "--shard_size", 10]
    done(capfd, *argv)
    before = files_of(tmp_path / "out")
    (tmp_path / "out" / "data" / "train-00002.parquet").write_bytes(b"torn")
    assert run(capfd, *map(str, argv))[0] == 0
    assert files_of(tmp_path / "out") == before


def test_a_run_whose_last_record_was_not_written_is_finished_by_the_next(pairs, tmp_path, capfd):
    argv = ["merge", pairs, "--out", tmp_path / "out"]
    done(capfd, *argv)
    load_manifest(tmp_path / "out").model_copy(update={"complete": False}).save(tmp_path / "out")
    (tmp_path / "out" / "README.md").unlink()
    for _ in range(2):
        assert "unfinished" not in done(capfd, *argv)
        assert statuses(tmp_path / "out") == {"kept": 42}
        assert (tmp_path / "out" / "README.md").exists()


@pytest.mark.parametrize("chunk", [1, 1000])
@pytest.mark.parametrize("next_link", [False, True])
def test_a_pair_is_no_repeat_of_one_that_prefers_the_other_way(
    tmp_path, capfd, monkeypatch, chunk, next_link
):
    """Mirrored pairs, and those of a chain, have nearly all their words in common."""
    monkeypatch.setattr("pairwright.inputs.conversations.CHUNK", chunk)
    one, other = text(1), f"{text(1)} more"
    rows = [
        pair("Write of the sea at length. Use no commas.", one, other),
        pair("Write of the sea at length. Use commas.", f"{one} else" if next_link else other, one),
        pair("Write of the sea at length. Use no commas!", one, other),
    ]
    source = write_jsonl(tmp_path / "rows.jsonl", rows)
    for argv in (["dedup"], ["select", "--near", "0.8"]):
        done(capfd, *argv, source, "--out", tmp_path / argv[0])
        assert statuses(tmp_path / argv[0]) == {"kept": 2, "duplicate": 1}
        [out] = [row for row in rows_of(tmp_path / argv[0]) if "status" in row]
        assert out["reason"].endswith("rows.jsonl line 1")


def test_sampled_answers_are_rows_too(tmp_path, capfd):
    rows = [{"prompt": f"Q{n}?", "completion": "An answer."} for n in range(3)]
    done(capfd, "merge", write_jsonl(tmp_path / "rows.jsonl", rows), "--out", tmp_path / "out")
    [table] = read_tables(tmp_path / "out")
    assert table.schema.names == ["row_id", "prompt_id", "prompt", "completion"]
    assert pa.types.is_list(table.schema.field("completion").type)


def test_what_cannot_be_done_is_one_sentence(pairs, tmp_path, capfd):
    few = write_jsonl(tmp_path / "few.jsonl", [pair("Q?")])
    empty = write_jsonl(tmp_path / "empty.jsonl", [{"number": 1}])
    words = write_jsonl(tmp_path / "words.jsonl", [{"prompt": "Q?", "tag": "text"}])
    for argv, said in (
        (["merge", pairs, pairs], "run: named twice"),
        (["merge"], "--inputs must be given"),
        (["merge", pairs, tmp_path / "gone"], "gone: no such file or folder"),
        (["merge", pairs, words], "tag"),
        (["merge", pairs / "dropped"], "these are rows that a run did not keep"),
        (["split", pairs / "*/*.parquet"], "these are rows that a run did not keep"),
        (["split", few], "no prompt falls to test; there are too few for --test_share 0.1"),
        (["decontaminate", pairs], "--against must be given"),
        (["decontaminate", pairs, "--against", empty], "no text in it"),
        (["dedup", pairs, "--near", "2"], "--near: Input should be less than or equal to 1"),
    ):
        out = [] if argv == ["merge"] else ["--out", tmp_path / "out"]
        code, _, err = run(capfd, *map(str, [*argv, *out]))
        assert (code, err.count("\n")) == (2, 1), (argv, err)
        assert said in err.replace("--inputs and --out", "--inputs"), (argv, err)
        assert not (tmp_path / "out").exists()


@given(st.lists(st.sampled_from("abcdef"), max_size=30), st.integers(1, 5))
def test_runs_are_all_neighbours(words, length):
    found = list(runs(words, length))
    assert len(found) == max(len(words) - length + 1, 1)
    assert found[0].split() == words[:length]


def test_words_are_words():
    assert words_of("It’s 2 — O'Neill, naïve! 日本") == ["it", "s", "2", "o", "neill", "naïve", "日", "本"]
    assert jaccard(shingles("a b c d"), shingles("a b c e")) == pytest.approx(1 / 3)


def test_ids_are_made_where_there_are_none(tmp_path):
    rows = WholeRows([str(write_jsonl(tmp_path / "rows.jsonl", [pair("Q?"), pair("Q?")]))], None)
    first, second = rows.whole()
    assert first.columns["row_id"] == second.columns["row_id"]
    assert first.texts == ("Q?", "Yes.", "No.")
