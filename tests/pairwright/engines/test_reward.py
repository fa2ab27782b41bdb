"""A reward model as a judge: real weights, scores of single answers, votes by their difference."""

import math

import pytest
import torch
from planted_judge import seed
from runs_on_disk import rows_of, write_jsonl
from tiny_model import SHAPE, save_tiny_model, tiny_tokenizer
from transformers import AutoModelForSequenceClassification, LlamaConfig

from judge.calibration.calibration import load_calibration
from judge.calibration.command import calibrate
from judge.calibration.config import CalibrateConfig
from judge.command import judge
from judge.comparison.command import WinrateConfig, load_winrate, winrate
from judge.config import JudgeConfig
from pairwright.engines.kinds import open_engine
from pairwright.engines.options import EngineOptions
from pairwright.engines.reward import last_token_scores
from pairwright.errors import UsageError
from pairwright.models.chat import encode_answer
from pairwright.models.loading import load_for_scoring
from pairwright.records import Job, Message, Request, conversation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random reward model whose padding token ends every answer too."""
    place = tmp_path_factory.mktemp("reward")
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), bos_token_id=None, eos_token_id=0, pad_token_id=0, num_labels=1, **SHAPE
    )
    torch.manual_seed(3)
    model = AutoModelForSequenceClassification.from_config(config).float()
    torch.nn.init.normal_(model.score.weight, std=2.0)
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


ROWS = [{"prompt": f"say {n}", "new": f"yes {n}" + "!" * n, "old": f"no {n}"} for n in range(6)]


def alone(folder, prompt, answer):
    """The score of one answer, unpadded, as transformers itself would read the last token."""
    tokenizer = tiny_tokenizer()
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    said = [Message(role="assistant", content=answer)]
    ids = torch.tensor([[i for part in encode_answer(tokenizer, conversation(prompt), said) for i in part]])
    assert ids[0, -1] == tokenizer.pad_token_id
    with torch.no_grad():
        hidden = model.model(ids).last_hidden_state[0, -1]
        return float(model.score(hidden))


def test_scores_are_read_at_the_last_token_whatever_the_padding(folder):
    engine = open_engine(f"reward:{folder}", EngineOptions(batch_size=4))
    for n, row in enumerate(ROWS):
        said = Message(role="assistant", content=row["new"])
        request = Request(role="judge", messages=(*conversation(row["prompt"]), said))
        engine.submit(Job(key=f"{n:032x}", request=request))
    found = {}
    while len(found) < len(ROWS):
        found |= {f.key: float(f.completion.text) for f in engine.poll()}
    for n, row in enumerate(ROWS):
        assert found[f"{n:032x}"] == pytest.approx(alone(folder, row["prompt"], row["new"]), abs=1e-5)
    assert len({round(score, 3) for score in found.values()}) == len(ROWS)
    engine.submit(Job(key="0" * 32, request=Request(role="judge", messages=conversation("say it"))))
    [refused] = engine.poll()
    assert "scores answers and gives none" in refused.completion.failure
    engine.close()


def test_a_padding_free_batch_and_a_padded_one_agree(folder):
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    long, short = list(range(5, 45)), [7, 8, 9]
    together = last_token_scores(model, [long, short])
    assert together.tolist() == pytest.approx(
        [last_token_scores(model, [ids]).item() for ids in (long, short)], abs=1e-5
    )


def test_it_judges_by_the_difference_of_scores(folder, tmp_path):
    path = write_jsonl(tmp_path / "rows.jsonl", ROWS)
    out = tmp_path / "run"
    shared = {"judge": f"reward:{folder}", "min_margin": 0.0}
    config = JudgeConfig(input=str(path), columns="new,old", out=str(out), **shared)
    first = judge(config)
    assert first.counts == {"kept": 6}
    for row in rows_of(out):
        [vote] = row["verdict"]["votes"]
        prompt, chosen = row["prompt"][0]["content"], row["chosen"][0]["content"]
        assert vote["chosen_score"] == pytest.approx(alone(folder, prompt, chosen), abs=1e-5)
        difference = vote["chosen_score"] - vote["rejected_score"]
        assert difference > 0
        assert vote["probability"] == pytest.approx(1 / (1 + math.exp(-difference)))
        assert row["margin"] == pytest.approx(2 * vote["probability"] - 1)
    assert not list((out / "templates").glob("*"))
    config = WinrateConfig(a="new", b="old", prompts=str(path), out=str(tmp_path / "wins"), **shared)
    winrate(config)
    wins = sum(row["chosen_model"] == "new" for row in rows_of(out))
    found = load_winrate(tmp_path / "wins")
    assert (found.wins, found.losses) == (wins, 6 - wins)


def test_it_sits_on_a_jury_and_is_calibrated(folder, tmp_path):
    path = write_jsonl(
        tmp_path / "rows.jsonl",
        [{"prompt": r["prompt"], "chosen": r["new"], "rejected": r["old"]} for r in ROWS],
    )
    calibrate(CalibrateConfig(input=str(path), judge=f"reward:{folder}", out=str(tmp_path / "alone")))
    found = load_calibration(tmp_path / "alone")
    assert (found.agreement.n, found.first_position.n, found.unparsed.value) == (6, 0, 0.0)
    jury = f"reward:{folder},canned:{seed(tmp_path / 'judge.jsonl')}"
    judge(JudgeConfig(input=str(path), judge=jury, out=str(tmp_path / "jury"), max_failed=1.0))
    votes = [v for row in rows_of(tmp_path / "jury") for v in row["verdict"]["votes"]]
    assert [v["judge"].partition(":")[0] for v in votes[:3]] == ["canned", "canned", "reward"]


def test_what_is_no_reward_model_is_refused(folder, tmp_path):
    path = write_jsonl(tmp_path / "rows.jsonl", ROWS)
    shared = {"input": str(path), "columns": "new,old", "out": str(tmp_path / "run")}
    with pytest.raises(UsageError, match="gives no scores"):
        judge(JudgeConfig(**shared, judge=f"reward:{save_tiny_model(tmp_path / 'model')}"))
    with pytest.raises(UsageError, match="is given no prompt"):
        judge(JudgeConfig(**shared, judge=f"reward:{folder}", protocol="text"))
    assert not (tmp_path / "run").exists()


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    tokenizer = tiny_tokenizer()
    few = len(tokenizer) - 20
    shape = LlamaConfig(vocab_size=few, eos_token_id=0, pad_token_id=0, num_labels=1, **SHAPE)
    AutoModelForSequenceClassification.from_config(shape).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    said = rf"its tokenizer knows {len(tokenizer)} tokens and its weights {few}; they are not of one model"
    with pytest.raises(UsageError, match=said):
        load_for_scoring(str(tmp_path))


@pytest.mark.parametrize("how", ["mean", "lowest"])
def test_several_reward_models_give_the_mean_or_the_lowest_score(folder, tmp_path, how):
    other = AutoModelForSequenceClassification.from_pretrained(folder)
    torch.manual_seed(9)
    torch.nn.init.normal_(other.score.weight, std=2.0)
    other.save_pretrained(tmp_path / "other")
    tiny_tokenizer().save_pretrained(tmp_path / "other")
    options = EngineOptions(reward_ensemble=how, batch_size=2)
    engine = open_engine(f"reward:{folder}+{tmp_path / 'other'}", options)
    for n, row in enumerate(ROWS):
        answer = Message(role="assistant", content=row["new"])
        request = Request(role="judge", messages=(*conversation(row["prompt"]), answer))
        engine.submit(Job(key=str(n), request=request))
    found = {}
    while len(found) < len(ROWS):
        found |= {done.key: float(done.completion.text) for done in engine.poll()}
    assert how in engine.identity
    engine.close()
    for n, row in enumerate(ROWS):
        both = [alone(place, row["prompt"], row["new"]) for place in (folder, tmp_path / "other")]
        expected = min(both) if how == "lowest" else sum(both) / 2
        assert found[str(n)] == pytest.approx(expected, abs=1e-5)
    with pytest.raises(UsageError, match="nowhere"):
        open_engine(f"reward:{folder}+{tmp_path / 'nowhere'}", options)
