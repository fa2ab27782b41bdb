"""Rows in which people say which of some answers is better: `completions` with `scores`, or one answer
with its `score`."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pairwright.inputs.beside import without_nulls
from pairwright.inputs.columns import LABELLED
from pairwright.inputs.forms.form import Form, Wrong, answered
from pairwright.inputs.source import Record

Read = Mapping[str, Any]


def _compared(prompt: Any, answers: list[Any], better: int | None, **more: Any) -> Read:
    """Two answers, of which one is better; None: neither."""
    scores = [0.5 if better is None else float(place == better) for place in (0, 1)]
    label = 0 if better is None else better + 1
    found = {"prompt": prompt, "completions": answers, "scores": scores, "preference": label}
    return found | more


def _arena(a: Any, b: Any, model_a: Any, model_b: Any, winner: Any) -> Read:
    if not (isinstance(a, list) and isinstance(b, list) and a and b):
        raise Wrong("`conversation_a` and `conversation_b` must be lists of messages")
    if without_nulls(a[:-1]) != without_nulls(b[:-1]):
        raise Wrong("the conversations differ before their last answers, so their prompts differ")
    better = _one_of(winner, "winner", {"model_a": 0, "model_b": 1, **dict.fromkeys(_ARENA_TIES)})
    return _compared(a[:-1], [a[-1], b[-1]], better, models=[model_a, model_b])


_ARENA_TIES = ("tie", "tie (bothbad)", "bothbad", "both_bad")


def _one_of(value: Any, name: str, known: Mapping[str, int | None]) -> int | None:
    """What a value means, as JSON or as a table of text has it; anything else is no tie."""
    if isinstance(value, bool) or str(value) not in known:
        raise Wrong(f"`{name}` must be {' or '.join(known)}, and is {value!r}")
    return known[str(value)]


def _helpsteer3(context: Any, one: Any, two: Any, preference: Any) -> Read:
    answered(response1=one, response2=two)
    gain = _number(preference, "overall_preference")
    return _scored(context, [one, two], [-gain / 2, gain / 2])


def _scored(prompt: Any, answers: list[Any], scores: list[float]) -> Read:
    """Two answers, each with a score."""
    better = None if scores[0] == scores[1] else scores.index(max(scores))
    return _compared(prompt, answers, better, scores=scores)


def _number(value: Any, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):  # as tables of text have it
        with suppress(ValueError):
            return float(value)
    raise Wrong(f"`{name}` must be a number, and is {value!r}")


def _shp(history: Any, a: Any, b: Any, label: Any) -> Read:
    answered(human_ref_A=a, human_ref_B=b)
    return _compared(history, [a, b], _one_of(label, "labels", {"1": 0, "0": 1}))


def _webgpt(question: Any, a: Any, b: Any, score_a: Any, score_b: Any) -> Read:
    prompt = question.get("full_text") if isinstance(question, Mapping) else question
    answered(answer_0=a, answer_1=b)
    scores = [_number(score_a, "score_0"), _number(score_b, "score_1")]
    return _scored(prompt, [a, b], scores)


def _summaries(info: Any, summaries: Any, choice: Any) -> Read:
    if not isinstance(summaries, list):
        raise Wrong("`summaries` must be a list of two objects with a `text`")
    texts = [one.get("text") if isinstance(one, Mapping) else None for one in summaries]
    if not isinstance(info, Mapping) or len(texts) != 2:
        raise Wrong("`summaries` must be two objects with a `text`, and `info` an object with a `post`")
    return _compared(info.get("post") or info.get("article"), texts, _one_of(choice, "choice", _PLACES))


def _pku(prompt: Any, a: Any, b: Any, better: Any) -> Read:
    answered(response_0=a, response_1=b)
    return _compared(prompt, [a, b], _one_of(better, "better_response_id", _PLACES))


_PLACES = {"0": 0, "1": 1}


def _llmbar(prompt: Any, a: Any, b: Any, label: Any) -> Read:
    answered(output_1=a, output_2=b)
    return {"prompt": prompt, "response_a": a, "response_b": b, "preference": label}


def _nectar(prompt: Any, answers: Any, count: Any) -> Read:
    return {"prompt": prompt, "completions": answers}


def _rated(generations: Any, ratings: Any, models: Any) -> Read:
    if not isinstance(generations, list) or not isinstance(ratings, list):
        raise Wrong("`generations` and `ratings` must be lists")
    if len(generations) != len(ratings):
        raise Wrong(f"`generations` has {len(generations)} entries and `ratings` has {len(ratings)}")
    scores = [_number(rating, "ratings") for rating in ratings]
    return {"completions": generations, "scores": scores, "models": models}


def _stack(question: Any, answers: Any, name: Any) -> Read:
    if not isinstance(answers, list) or not all(isinstance(one, Mapping) for one in answers):
        raise Wrong("`answers` must be a list of objects with `text` and `pm_score`")
    texts, scores = ([one.get(key) for one in answers] for key in ("text", "pm_score"))
    return {"prompt": question, "completions": texts, "scores": scores, "qid": name}


def _helpsteer(response: Any, helpfulness: Any, correctness: Any) -> Read:
    answered(response=response)
    score = None if helpfulness is None else _number(helpfulness, "helpfulness")
    return {
        "completion": response, "score": score, "helpfulness": helpfulness, "correctness": correctness,
    }  # fmt: skip


def _kto(prompt: Any, completion: Any, label: Any) -> Read:
    if not _is_label(label):
        raise Wrong(f"`label` must be true or false, and is {label!r}")
    good = bool(_TRUTH.get(label, label))
    return {"prompt": prompt, "completion": completion, "score": float(good), "label": good}


_TRUTH = {
    spelt(word): meant
    for word, meant in {"true": True, "1": True, "false": False, "0": False}.items()
    for spelt in (str, str.title, str.upper)
}
"""As tables of text spell them."""


def _is_label(value: Any) -> bool:
    return value in _TRUTH if isinstance(value, str) else isinstance(value, int | float) and value in (0, 1)


def _has_label(record: Record) -> bool:
    return _is_label(record["label"])


PREFERENCES = (
    Form(
        "arena",
        ("conversation_a", "conversation_b", "model_a", "model_b", "winner"),
        "lmsys/chatbot_arena_conversations",
        "both last answers to one conversation, the winner, ties",
        _arena,
    ),
    Form(
        "helpsteer3",
        ("context", "response1", "response2", "overall_preference"),
        "nvidia/HelpSteer3",
        "two answers, by `overall_preference`",
        _helpsteer3,
    ),
    Form(
        "helpsteer",
        ("response", "helpfulness", "correctness"),
        "nvidia/HelpSteer2",
        "an answer with `helpfulness` as its score; the other attributes are carried along",
        _helpsteer,
    ),
    Form(
        "shp",
        ("history", "human_ref_A", "human_ref_B", "labels"),
        "stanfordnlp/SHP",
        "two answers, and which is better",
        _shp,
    ),
    Form(
        "webgpt",
        ("question", "answer_0", "answer_1", "score_0", "score_1"),
        "openai/webgpt_comparisons",
        "two answers with their scores",
        _webgpt,
    ),
    Form(
        "summaries",
        ("info", "summaries", "choice"),
        "openai/summarize_from_feedback",
        "two summaries of `post` or `article`, and which is better",
        _summaries,
    ),
    Form(
        "pku",
        ("prompt", "response_0", "response_1", "better_response_id"),
        "PKU-Alignment/PKU-SafeRLHF",
        "two answers, and which is better",
        _pku,
    ),
    Form(
        "llmbar",
        ("input", "output_1", "output_2", "label"),
        "princeton-nlp/LLMBar",
        "two answers, and which is better",
        _llmbar,
    ),
    Form(
        "labels",
        LABELLED,
        "what `pairwright label` writes of people's labels",
        "two answers, and which is better: 1, 2, or 0 for a tie",
    ),
    Form(
        "nectar",
        ("prompt", "answers", "num_responses"),
        "berkeley-nest/Nectar",
        "a list of answers by `rank`",
        _nectar,
    ),
    Form(
        "rated",
        ("generations", "ratings", "generation_models"),
        "argilla/distilabel-math-preference-dpo",
        "a list of answers by `ratings`",
        _rated,
    ),
    Form(
        "stack",
        ("question", "answers", "qid"),
        "HuggingFaceH4/stack-exchange-preferences",
        "a list of answers by `pm_score`",
        _stack,
    ),
    Form(
        "kto",
        ("prompt", "completion", "label"),
        "trl-lib/kto-mix-14k, and `export --to kto`",
        "an answer with the score 1 where `label` is true, else 0; by itself in `train --loss kto`",
        _kto,
        tells=_has_label,
    ),
)
