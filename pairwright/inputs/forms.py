"""Forms of rows that well-known data sets made known, each turned into prompt and answers.

A form is told by columns that no other has, looked for in a source's first row. Where people say which
of some answers is better, their answers become `completions` with `scores`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from pairwright.errors import UsageError
from pairwright.inputs.columns import listed
from pairwright.inputs.source import Record, Source


class Form(NamedTuple):
    """How rows of one kind are told and read."""

    name: str
    columns: tuple[str, ...]
    """Columns that tell it, all of which are used up."""
    read: Callable[..., Mapping[str, Any]]
    """The columns that take their place, from the values of these, in order."""
    example: str
    """A data set, or what else writes rows so."""


class _Wrong(Exception):
    """What is wrong with a row of a form, without where it stands."""


def _openai_preference(asked: Any, preferred: Any, other: Any) -> Mapping[str, Any]:
    if not isinstance(asked, Mapping) or "messages" not in asked:
        raise _Wrong("`input` has no `messages`")
    shown = {name: asked[name] for name in ("tools",) if asked.get(name)}
    return {"prompt": asked["messages"], "chosen": preferred, "rejected": other, **shown}


def _openai_request(method: Any, url: Any, body: Any) -> Mapping[str, Any]:
    if not isinstance(body, Mapping) or "messages" not in body:
        raise _Wrong("`body` has no `messages`; requests for chat completions alone can be read")
    return {"messages": body["messages"], **({"tools": body["tools"]} if body.get("tools") else {})}


def _openai_response(name: Any, response: Any, error: Any) -> Mapping[str, Any]:
    raise _Wrong("is an answer of OpenAI's batch API, which does not repeat its prompt; name the requests")


def _compared(prompt: Any, answers: list[Any], better: int | None, **more: Any) -> Mapping[str, Any]:
    """Two answers, of which one is better; None: neither."""
    scores = [0.5 if better is None else float(place == better) for place in (0, 1)]
    return {"prompt": prompt, "completions": answers, "scores": scores, **more}


def _arena(a: Any, b: Any, model_a: Any, model_b: Any, winner: Any) -> Mapping[str, Any]:
    if not (isinstance(a, list) and isinstance(b, list) and a and b):
        raise _Wrong("`conversation_a` and `conversation_b` must be lists of messages")
    if a[:-1] != b[:-1]:
        raise _Wrong("the conversations part before their last answers, so these are to different prompts")
    better = {"model_a": 0, "model_b": 1}.get(str(winner))
    return _compared(a[:-1], [a[-1], b[-1]], better, models=[model_a, model_b])


def _helpsteer3(context: Any, one: Any, two: Any, preference: Any) -> Mapping[str, Any]:
    if not isinstance(preference, int | float):
        raise _Wrong(f"`overall_preference` must be a number, and is {preference!r}")
    gain = float(preference)
    return {"prompt": context, "completions": [one, two], "scores": [-gain / 2, gain / 2]}


def _shp(history: Any, a: Any, b: Any, label: Any) -> Mapping[str, Any]:
    return _compared(history, [a, b], {1: 0, 0: 1}.get(label))


def _webgpt(question: Any, a: Any, b: Any, score_a: Any, score_b: Any) -> Mapping[str, Any]:
    prompt = question.get("full_text") if isinstance(question, Mapping) else question
    return {"prompt": prompt, "completions": [a, b], "scores": [score_a, score_b]}


def _summaries(info: Any, summaries: Any, choice: Any) -> Mapping[str, Any]:
    texts = [one.get("text") if isinstance(one, Mapping) else None for one in summaries or ()]
    if not isinstance(info, Mapping) or len(texts) != 2:
        raise _Wrong("`summaries` must be two objects with a `text`, and `info` an object with a `post`")
    return _compared(info.get("post") or info.get("article"), texts, choice)


def _pku(prompt: Any, a: Any, b: Any, better: Any) -> Mapping[str, Any]:
    return _compared(prompt, [a, b], better)


def _llmbar(prompt: Any, a: Any, b: Any, label: Any) -> Mapping[str, Any]:
    return {"prompt": prompt, "response_a": a, "response_b": b, "preference": label}


def _nectar(prompt: Any, answers: Any, count: Any) -> Mapping[str, Any]:
    return {"prompt": prompt, "completions": answers}


def _rated(generations: Any, ratings: Any, models: Any) -> Mapping[str, Any]:
    return {"completions": generations, "scores": ratings, "models": models}


def _stack(question: Any, answers: Any, name: Any) -> Mapping[str, Any]:
    if not isinstance(answers, list) or not all(isinstance(one, Mapping) for one in answers):
        raise _Wrong("`answers` must be a list of objects with `text` and `pm_score`")
    texts, scores = ([one.get(key) for one in answers] for key in ("text", "pm_score"))
    return {"prompt": question, "completions": texts, "scores": scores, "qid": name}


def _helpsteer(response: Any, helpfulness: Any, correctness: Any) -> Mapping[str, Any]:
    kept = {"helpfulness": helpfulness, "correctness": correctness}
    return {"completion": response, "score": helpfulness, **kept}


FORMS = (
    Form(
        "openai_preference",
        ("input", "preferred_output", "non_preferred_output"),
        _openai_preference,
        "preference files for OpenAI's fine-tuning",
    ),
    Form("openai_batch", ("method", "url", "body"), _openai_request, "requests of OpenAI's batch API"),
    Form(
        "openai_answers",
        ("custom_id", "response", "error"),
        _openai_response,
        "answers of OpenAI's batch API",
    ),
    Form(
        "arena",
        ("conversation_a", "conversation_b", "model_a", "model_b", "winner"),
        _arena,
        "lmsys/chatbot_arena_conversations",
    ),
    Form(
        "helpsteer3",
        ("context", "response1", "response2", "overall_preference"),
        _helpsteer3,
        "nvidia/HelpSteer3",
    ),
    Form("shp", ("history", "human_ref_A", "human_ref_B", "labels"), _shp, "stanfordnlp/SHP"),
    Form(
        "webgpt",
        ("question", "answer_0", "answer_1", "score_0", "score_1"),
        _webgpt,
        "openai/webgpt_comparisons",
    ),
    Form("summaries", ("info", "summaries", "choice"), _summaries, "openai/summarize_from_feedback"),
    Form(
        "pku",
        ("prompt", "response_0", "response_1", "better_response_id"),
        _pku,
        "PKU-Alignment/PKU-SafeRLHF",
    ),
    Form("llmbar", ("input", "output_1", "output_2", "label"), _llmbar, "princeton-nlp/LLMBar"),
    Form("nectar", ("prompt", "answers", "num_responses"), _nectar, "berkeley-nest/Nectar"),
    Form(
        "rated",
        ("generations", "ratings", "generation_models"),
        _rated,
        "argilla/distilabel-math-preference-dpo",
    ),
    Form("stack", ("question", "answers", "qid"), _stack, "HuggingFaceH4/stack-exchange-preferences"),
    Form("helpsteer", ("response", "helpfulness", "correctness"), _helpsteer, "nvidia/HelpSteer2"),
)
"""All forms; what they have in common with none are the columns that tell them."""


class InForm(Source):
    """A source whose rows have a form of their own, as prompt and answers."""

    def __init__(self, source: Source, form: Form) -> None:
        self._source = source
        self._form = form

    def sha256(self) -> str:
        """Hash of what is read."""
        return self._source.sha256()

    def readable(self) -> Iterator[tuple[str, Record | UsageError]]:
        """Every row, with the columns of its form turned into ours."""
        for where, record in self._source.readable():
            yield where, record if isinstance(record, UsageError) else self._turned(record, where)

    def _turned(self, record: Record, where: str) -> Record | UsageError:
        missing = [name for name in self._form.columns if name not in record]
        if missing:
            return UsageError(
                f"{where}: no {listed(missing)}; the rows before it are as {self._form.example} has them"
            )
        try:
            made = self._form.read(*(record[name] for name in self._form.columns))
        except _Wrong as error:
            return UsageError(f"{where}: {error}")
        rest = {
            name: v for name, v in record.items() if name not in self._form.columns and name not in made
        }
        return {**made, **rest}


def in_form(source: Source) -> Source:
    """The source, or its rows as prompt and answers where the first has one of the forms."""
    first = next((record for _, record in source.readable() if not isinstance(record, UsageError)), None)
    form = next((form for form in FORMS if first is not None and set(form.columns) <= first.keys()), None)
    return source if form is None else InForm(source, form)
