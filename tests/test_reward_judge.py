"""Reward models as judges: scores as transformers gives them, margins, juries, and what is refused."""

import json
import math

import pytest
import torch
from planted_judge import seed
from runs_on_disk import rows_of, write_jsonl
from tiny_model import save_tiny_model, tiny_tokenizer
from transformers import AutoModelForSequenceClassification, LlamaConfig

from judge import JudgeConfig, WinrateConfig, judge, winrate
from judge.winrate import load_winrate
from pairwright.engines import EngineOptions
from pairwright.engines.reward import RewardEngine
from pairwright.errors import UsageError
from pairwright.manifest import load_manifest
from pairwright.records import Job, Message, Request
from pairwright.sample import SampleConfig, sample


@pytest.fixture(scope="module")
def reward(tmp_path_factory):
    """A random classifier with one label, whose padding token is the one that ends a turn."""
    folder = tmp_path_factory.mktemp("reward")
    tokenizer = tiny_tokenizer()
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128, pad_token_id=0,
        num_labels=1,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config).float()
    torch.nn.init.normal_(model.score.weight, std=0.5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def alone(folder, prompt, answer):
    """The score of one conversation, read by hand at its last token."""
    tokenizer = tiny_tokenizer()
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = tokenizer(f"<|user|>{prompt}<|end|><|assistant|>{answer}<|end|>", return_tensors="pt").input_ids
    with torch.no_grad():
        hidden = model.model(ids).last_hidden_state
        return float(model.score(hidden)[0, -1, 0])


ROWS = [
    {"prompt": "Why?", "a": "Because it is so, and so it shall be.", "b": "No."},
    {"prompt": "Who are you, after all?", "a": "me", "b": "Nobody knows for sure."},
    {"prompt": "What", "a": "x" * 30, "b": "y"},
]


def test_scores_in_a_padded_batch_are_those_of_each_alone(reward):
    engine = RewardEngine(str(reward), EngineOptions(device="cpu", batch_size=4), "reward:x")
    asked = {(row["prompt"], row[side]) for row in ROWS for side in "ab"}
    for prompt, answer in asked:
        messages = (Message(role="user", content=prompt), Message(role="assistant", content=answer))
        engine.submit(
            Job(key=json.dumps([prompt, answer]), request=Request(role="judge", messages=messages))
        )
    found = {}
    while len(found) < len(asked):
        found |= {tuple(json.loads(key)): float(said.text) for key, said in engine.poll()}
    for (prompt, answer), score in found.items():
        assert score == pytest.approx(alone(reward, prompt, answer), abs=1e-5)


def settings(tmp_path, reward, **more):
    """Settings that judge and winrate share."""
    return {"judge": f"reward:{reward}", "min_margin": 0.0, "out": str(tmp_path / "run")} | more


def test_pairs_by_a_reward_model(tmp_path, reward):
    path = write_jsonl(tmp_path / "rows.jsonl", ROWS)
    judge(
        JudgeConfig(
            input=str(path),
            columns="a,b",
            judge=f"reward:{reward}",
            min_margin=0.0,
            out=str(tmp_path / "run"),
        )
    )
    rows = {row["prompt"][0]["content"]: row for row in rows_of(tmp_path / "run")}
    for given in ROWS:
        scores = {text: alone(reward, given["prompt"], text) for text in (given["a"], given["b"])}
        row = rows[given["prompt"]]
        best = max(scores, key=scores.get)
        assert row["chosen"][0]["content"] == best
        difference = scores[best] - min(scores.values())
        assert row["verdict"]["preference"] == pytest.approx(1 / (1 + math.exp(-difference)), abs=1e-5)
        [vote] = row["verdict"]["votes"]
        assert vote["chosen_first"] is None
        assert vote["chosen_score"] - vote["rejected_score"] == pytest.approx(difference, abs=1e-5)
    manifest = load_manifest(tmp_path / "run")
    assert manifest.engines["judge"].startswith("reward:folder@")
    assert not list((tmp_path / "run").glob("templates/*"))


def test_a_jury_of_a_reward_model_and_an_engine(tmp_path, reward):
    path = write_jsonl(tmp_path / "rows.jsonl", ROWS[:1])
    mute = seed(tmp_path / "judge.jsonl")  # says C, which is seldom a label
    jury = settings(tmp_path, reward, judge=f"reward:{reward},canned:{mute}", agree="mean", max_failed=1.0)
    judge(JudgeConfig(input=str(path), columns="a,b", **jury))
    [row] = rows_of(tmp_path / "run")
    assert len(row["verdict"]["votes"]) == 3  # both orders of the one, and the other's single one


def test_win_rates_by_a_reward_model(tmp_path, reward):
    for side in "ab":
        rows = [{"prompt": row["prompt"], "response": row[side]} for row in ROWS]
        write_jsonl(tmp_path / f"{side}.jsonl", rows)
    files = {"input": str(tmp_path / "a.jsonl"), "baseline": str(tmp_path / "b.jsonl")}
    winrate(WinrateConfig(**files, **settings(tmp_path, reward)))
    wins = sum(alone(reward, r["prompt"], r["a"]) > alone(reward, r["prompt"], r["b"]) for r in ROWS)
    found = load_winrate(tmp_path / "run")
    assert (found.wins, found.losses) == (wins, 3 - wins)


def test_what_is_no_judge_and_what_is_no_policy(tmp_path, reward):
    path = str(write_jsonl(tmp_path / "rows.jsonl", ROWS))
    causal = save_tiny_model(tmp_path / "causal")
    where = {"input": path, "out": str(tmp_path / "run")}
    with pytest.raises(UsageError, match="holds LlamaForCausalLM with"):
        judge(JudgeConfig(**where, columns="a,b", judge=f"reward:{causal}"))
    with pytest.raises(UsageError, match="no such folder"):
        judge(JudgeConfig(**where, columns="a,b", judge="reward:./gone"))
    with pytest.raises(UsageError, match="scores answers and writes none; name it with --judge"):
        sample(SampleConfig(**where, policy=f"reward:{reward}"))
    assert not (tmp_path / "run").exists()
