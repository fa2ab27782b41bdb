"""From answers to pairs by comparison: where answers come from, what is kept, what is refused."""

import json
from collections import Counter

import pyarrow as pa
import pytest
from asking import ask
from datasets import load_dataset
from judging import better, judged, settings, three_answers
from planted_judge import choosing
from runs_on_disk import rows_of, write_jsonl

from judge.command import judge
from pairwright.engines import EngineOptions
from pairwright.engines.canned import CannedEngine
from pairwright.inputs.rows import Input
from pairwright.records import Job
from pairwright.stages.sample import SampleConfig, sample


def test_best_and_worst_of_three_make_one_pair(tmp_path):
    three_answers(tmp_path)
    manifest = judged(tmp_path, settings(tmp_path), choosing(better))
    assert manifest.counts == {"kept": 10, "identical": 1, "too_few": 1}
    rows = rows_of(tmp_path / "run")
    kept = [r for r in rows if "status" not in r]
    for row in kept:
        assert row["chosen"][0]["content"].startswith("grade 3")
        assert row["rejected"][0]["content"].startswith("grade 1")
        assert (row["chosen_model"], row["rejected_model"]) == ("three", "one")
        assert row["source"] == "off_policy_judge"
        assert row["margin"] == pytest.approx(0.8)
        assert row["verdict"]["preference"] == pytest.approx(0.9)
        assert row["verdict"]["consistent"] is True
        assert [v["chosen_first"] for v in row["verdict"]["votes"]] in ([True, False], [False, True])
    reasons = {r["status"]: r["reason"] for r in rows if "status" in r}
    assert reasons["too_few"] == "1 usable answer to the prompt"
    assert len(load_dataset(str(tmp_path / "run"), split="train")) == 10


def test_all_pairs_of_a_prompt_are_rows_and_the_prompt_counts_once(tmp_path):
    three_answers(tmp_path)
    manifest = judged(tmp_path, settings(tmp_path, pairs="all"), choosing(better))
    assert manifest.counts == {"kept": 10, "identical": 1, "too_few": 1}
    assert manifest.kept_rows == 30
    kept = [r for r in rows_of(tmp_path / "run") if "status" not in r]
    assert len({r["row_id"] for r in kept}) == len(kept) == 30
    assert Counter(r["prompt_id"] for r in kept).most_common(1)[0][1] == 3
    assert all(r["chosen"][0]["content"] > r["rejected"][0]["content"] for r in kept)
    assert json.loads((tmp_path / "run" / "stats.json").read_text())["kept_rows"] == 30


def test_pairs_and_margins_are_gates_that_ask_nothing_again(tmp_path):
    three_answers(tmp_path)
    config = settings(tmp_path)
    judged(tmp_path, config, choosing(better))
    (tmp_path / "run" / "journal.sqlite").stat()
    manifest = judge(config.model_copy(update={"min_margin": 0.9}))
    assert manifest.counts == {"tie": 10, "identical": 1, "too_few": 1}
    manifest = judge(config.model_copy(update={"pairs": "all"}))
    assert manifest.kept_rows == 30


def test_many_candidates_meet_in_swiss_rounds(tmp_path):
    names = [f"c{n}" for n in range(8)]
    write_jsonl(
        tmp_path / "three.jsonl",
        [
            {"prompt": f"Q{r}?", **{name: f"grade {n} of {r}" for n, name in enumerate(names)}}
            for r in range(4)
        ],
    )
    config = settings(tmp_path, columns=",".join(names))
    asked = []

    def watched(request):
        asked.append(request)
        return choosing(better)(request)

    judged(tmp_path, config, watched)
    assert len(asked) < 4 * 2 * 28
    for row in rows_of(tmp_path / "run"):
        assert row["chosen"][0]["content"].startswith("grade 7")
        assert row["rejected"][0]["content"].startswith("grade 0")


def test_a_sample_run_is_grouped_by_prompt(tmp_path):
    prompts = write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": f"Q{n}?", "tag": n} for n in range(6)])
    replies = [{"text": f"grade {n}"} for n in range(1, 9)]
    write_jsonl(tmp_path / "policy.jsonl", replies)
    answers = str(tmp_path / "answers")
    sample(SampleConfig(input=str(prompts), policy=f"canned:{tmp_path / 'policy.jsonl'}", out=answers, n=3))
    config = settings(tmp_path, input=answers, columns=None)
    manifest = judged(
        tmp_path, config, choosing(better), config.reader(answers, config.wanted_columns, None)
    )
    assert manifest.items == 6
    kept = [r for r in rows_of(tmp_path / "run") if "status" not in r]
    assert kept
    assert {r["source"] for r in kept} == {"on_policy_judge"}
    assert all(r["chosen"][0]["content"] > r["rejected"][0]["content"] for r in kept)
    assert all(isinstance(r["tag"], int) for r in kept)
    assert "sample_index" not in kept[0]
    assert len(list(config.reader(answers, config.wanted_columns, 4))) == 4


def test_the_policy_answers_first_in_the_same_run(tmp_path):
    prompts = write_jsonl(tmp_path / "three.jsonl", [{"prompt": f"Q{n}?"} for n in range(24)])
    policy = write_jsonl(
        tmp_path / "policy.jsonl",
        [{"text": "grade 1"}, {"text": "grade 2"}, {"text": "cut", "finish_reason": "length"}],
    )
    config = settings(tmp_path, columns=None, policy=f"canned:{policy}")
    engine = CannedEngine(policy, EngineOptions(), "")

    def reply(request):
        if request.role != "policy":
            return choosing(better)(request)
        [completion] = ask(engine, [Job(key=request.key(engine.identity), request=request)])
        return {"text": completion.text, "finish_reason": completion.finish_reason}

    rows = Input(str(prompts), config.wanted_columns, None)
    manifest = judged(tmp_path, config, reply, rows)
    assert set(manifest.counts) == {"kept", "identical", "too_few"}
    assert sum(manifest.counts.values()) == 24
    found = rows_of(tmp_path / "run")
    assert {r["source"] for r in found} == {"on_policy_judge"}
    assert any("truncated: cut off" in r.get("reason", "") for r in found)


def test_two_policies_are_off_policy(tmp_path):
    write_jsonl(tmp_path / "three.jsonl", [{"prompt": "Q?"}])
    a = write_jsonl(tmp_path / "a.jsonl", [{"text": "grade 1"}])
    b = write_jsonl(tmp_path / "b.jsonl", [{"text": "grade 2"}])
    config = settings(tmp_path, columns=None, policies=f"canned:{a},canned:{b}")

    def reply(request):
        if request.role.startswith("policy"):
            return {"text": "grade 1" if request.role == "policy_1" else "grade 2"}
        return choosing(better)(request)

    rows = Input(str(tmp_path / "three.jsonl"), config.wanted_columns, None)
    manifest = judged(tmp_path, config, reply, rows)
    assert manifest.counts == {"kept": 1}
    [row] = rows_of(tmp_path / "run")
    assert (row["source"], row["chosen"][0]["content"]) == ("off_policy_judge", "grade 2")


def test_the_stronger_answer_is_chosen_and_nobody_is_asked(tmp_path):
    three_answers(tmp_path, 3)
    config = settings(
        tmp_path, judge=None, columns=None, answer_column="one", stronger="three", out=str(tmp_path / "run")
    )
    assert judge(config).counts == {"kept": 3}
    row = rows_of(tmp_path / "run")[0]
    assert (row["source"], row["chosen_model"]) == ("stronger_preferred", "three")
    assert "verdict" not in row
    assert "margin" not in row
    assert row["chosen"][0]["content"] == "grade 3 of 0"
    assert row["rejected"][0]["content"] == "grade 1 of 0"
    engine = write_jsonl(tmp_path / "strong.jsonl", [{"text": "the best"}])
    config = config.model_copy(update={"stronger": f"canned:{engine}", "out": str(tmp_path / "asked")})
    assert judge(config).counts == {"kept": 3}
    assert {r["chosen"][0]["content"] for r in rows_of(tmp_path / "asked")} == {"the best"}
    cut = write_jsonl(tmp_path / "cut.jsonl", [{"text": "the", "finish_reason": "length"}])
    config = config.model_copy(update={"stronger": f"canned:{cut}", "out": str(tmp_path / "cut")})
    assert judge(config).counts == {"truncated": 3}


def test_every_shard_has_the_same_types(tmp_path):
    three_answers(tmp_path)
    judged(tmp_path, settings(tmp_path), choosing(better))
    import pyarrow.parquet as pq

    schemas = {
        str(pq.read_schema(p).remove_metadata()) for p in (tmp_path / "run" / "data").glob("*.parquet")
    }
    assert len(schemas) == 1
    assert not any(
        pa.types.is_null(f.type) for f in pq.read_schema(next((tmp_path / "run" / "data").glob("*")))
    )


def test_a_lost_shard_is_made_again_with_the_same_rows(tmp_path):
    """Rows beyond the first of a prompt come back with the same ids, from the journal alone."""
    three_answers(tmp_path)
    config = settings(tmp_path, pairs="all")
    judged(tmp_path, config, choosing(better))
    before = rows_of(tmp_path / "run")
    (tmp_path / "run" / "data" / "train-00001.parquet").unlink()
    again = judge(config)
    assert again is not None
    assert again.kept_rows == 30
    assert rows_of(tmp_path / "run") == before


def test_the_stronger_answer_beside_every_answer_of_a_prompt(tmp_path):
    three_answers(tmp_path)
    config = settings(tmp_path, judge=None, columns="one,two", stronger="three", pairs="all")
    manifest = judge(config)
    assert manifest is not None
    assert manifest.counts == {"kept": 10, "identical": 1, "too_few": 1}
    assert manifest.kept_rows == 20
    kept = [r for r in rows_of(tmp_path / "run") if "status" not in r]
    assert {(r["chosen_model"], r["rejected_model"]) for r in kept} == {("three", "one"), ("three", "two")}
