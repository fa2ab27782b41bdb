"""Checks of an engine: what it says it can do, and whether it does it."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pairwright.checks.machine import Finding
from pairwright.engines import Engine, EngineOptions, open_engine
from pairwright.engines.kinds import reports_logprobs
from pairwright.engines.probe import Kind, constraint_probe, ignored
from pairwright.engines.thoughts import apart, used_up
from pairwright.engines.verifiers.engine import REVISION_SCHEMA, FunctionEngine
from pairwright.engines.verifiers.lookup import look_up
from pairwright.errors import PairwrightError, UsageError
from pairwright.records import Completion, Job, Request, Sampling, conversation
from pairwright.stages.verifying import asked_of_function, asked_of_reward_model, read_score

_BURST = 32
_BURST_TOKENS = 64
_SEEDS = 6
_TOPS = 5
_CONSTRAINTS: dict[Kind, str] = {"choice": "choices enforced", "schema": "JSON schema enforced"}
_FIRST = "put this right first; nothing else can be tried"
_ASKED = "Which is larger, 3 or 5?"
_TWO = ("5 is larger than 3.", "banana")
_THOUGHT_TOKENS = 2048
_EMPTY = "an empty answer to a greeting: is this an instruct model, and is its chat template the right one?"
_FILTERED = "a greeting is withheld: loosen the filter where the model is deployed, or use another model"
_NO_FORM = "do not use it where answers must keep to a form"


def engine_findings(spec: str, options: EngineOptions) -> Iterator[Finding]:
    """Open the engine and send it a few dozen short requests."""
    began = time.monotonic()
    try:
        engine = open_engine(spec, options)
    except PairwrightError as error:
        yield Finding("opens", False, str(error), _FIRST)
        return
    try:
        yield Finding("opens", True, f"{engine.identity}, in {time.monotonic() - began:.1f} s")
        is_function = isinstance(engine, FunctionEngine)
        first = _function(engine, options) if is_function else _first(engine, options)
        yield first
        if first.ok and first.what == "answers" and not is_function:
            for check in _CHECKS:
                yield check(engine, options)
            for kind in _CONSTRAINTS:
                try:
                    yield _constraint(engine, options, kind)
                except PairwrightError as error:  # which has ended this engine
                    yield Finding(_CONSTRAINTS[kind], False, str(error), _NO_FORM)
                    engine.close()
                    engine = open_engine(spec, options)
            if (found := getattr(engine, "dialect", None)) is not None:
                yield Finding("dialect", True, "; ".join(f"{n}: {_plain(v)}" for n, v in found.items()))
    except PairwrightError as error:
        yield Finding("works", False, str(error), "put this right and ask again")
    finally:
        engine.close()


def _plain(value: Any) -> str:
    """What is found of a server, in words."""
    if isinstance(value, dict):
        return ", ".join(f"{old} as {new}" for old, new in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value)


def _answers(engine: Engine, options: EngineOptions) -> Finding:
    for most in (64, _THOUGHT_TOKENS):  # the second for a model that thinks first
        [found] = _ask(engine, [_question("Say hello.", max_tokens=most, temperature=0.0)], options)
        if found.failure is not None:
            return Finding("answers", False, found.failure, "nothing else can be tried before it answers")
        found = apart(found)
        if not used_up(found):
            break
    said = " ".join(found.text.split())
    if used_up(found):
        detail = f"a thought of {found.completion_tokens} tokens, and no answer"
        return Finding(
            "answers", False, detail, "let it think less (--thinking off, --reasoning_effort low)"
        )
    if found.finish_reason == "content_filter":
        return Finding("answers", False, f"{said[:60]!r}, by a filter of contents", _FILTERED)
    return Finding("answers", bool(said), f"{said[:60]!r}", _EMPTY)


def _first(engine: Engine, options: EngineOptions) -> Finding:
    """Whether a model does what it is there for."""
    return _scores(engine, options) if engine.spec.startswith("reward:") else _answers(engine, options)


def _function(engine: Engine, options: EngineOptions) -> Finding:
    """Whether a function scores, revises or answers, whichever it is written for."""
    failed: list[Finding] = []
    for ask in (_scores, _revises, _answers):
        with contextlib.suppress(UsageError):  # it is written for another of the three
            found = ask(engine, options)
            if found.ok is not False:
                return found
            failed.append(found)
    return failed[0] if failed else _scores(engine, options)


def _scores(engine: Engine, options: EngineOptions) -> Finding:
    """Two answers to one question, as a verifier is asked about them."""
    prompt, what = conversation(_ASKED), "scores"
    if engine.spec.startswith("reward:"):
        asked = [asked_of_reward_model("doctor", prompt, answer, 0) for answer in _TWO]
    elif wants := look_up(engine.spec, "score", allow_code=options.allow_code).wants:
        columns = " and ".join(f"`{name}`" for name in wants)
        return Finding(what, None, f"not tried: it wants {columns} of a row")
    else:
        asked = [asked_of_function("doctor", prompt, answer, {}) for answer in _TWO]
    found = _ask(engine, [Job(key=one.key("doctor"), request=one) for one in asked], options)
    failure = next((completion.failure for completion in found if completion.failure), None)
    if failure is not None:
        return Finding(what, False, failure, _FIRST)
    said = zip(map(read_score, found), _TWO, strict=True)
    return Finding(what, True, ", ".join(f"{one.score} for {text!r}" for one, text in said))


def _revises(engine: Engine, options: EngineOptions) -> Finding:
    asked = asked_of_function("doctor", conversation(_ASKED), _TWO[1], {})
    asked = asked.model_copy(update={"json_schema": REVISION_SCHEMA})
    [found] = _ask(engine, [Job(key=asked.key("doctor"), request=asked)], options)
    detail = found.failure or f"{found.text[:60]} for {_TWO[1]!r}"
    return Finding("revises", found.failure is None, detail, _FIRST)


def _template(engine: Engine, options: EngineOptions) -> Finding:
    """A template wraps the one word in tokens of its own; plain continuation would add one at most."""
    [found] = _ask(engine, [_question("Hi", max_tokens=1)], options)
    if not found.prompt_tokens:
        return Finding("chat template", None, "cannot be seen: it does not count prompt tokens")
    detail = f"{found.prompt_tokens} tokens of prompt for the one word `Hi`"
    advice = "give the model's chat template to the server (vllm serve --chat-template FILE)"
    return Finding("chat template", found.prompt_tokens > 3, detail, advice)


def _constraint(engine: Engine, options: EngineOptions, kind: Kind) -> Finding:
    what = _CONSTRAINTS[kind]
    [found] = _ask(engine, [constraint_probe(kind)], options)
    if found.failure is not None:
        declined = found.failure.startswith("json_schema: ")
        return Finding(what, None if declined else False, found.failure, "use an engine that can")
    sentence = ignored(kind, found)
    if sentence is not None:
        return Finding(what, False, f"it {sentence}", _NO_FORM)
    said = found.text.strip()
    if not said:
        return Finding(what, None, "cannot be seen: the answer was cut off before it began")
    return Finding(what, True, f"{said[:60]!r}")


def _logprobs(engine: Engine, options: EngineOptions) -> Finding:
    what = "log-probabilities"
    question = _question("Which is larger, 3 or 5? Answer with the number.", max_tokens=4, logprobs=_TOPS)
    advice = "judge with --protocol choice or text"
    if not reports_logprobs(engine.spec):
        return Finding(what, None, f"it has none: {advice}")
    [found] = _ask(engine, [question], options)
    if found.failure is not None or not found.top_logprobs:
        return Finding(what, False, found.failure or "asked for, and none came", advice)
    sums = [sum(map(math.exp, position.values())) for position in found.top_logprobs]
    if max(sums) > 1.001 or any(v > 0 for position in found.top_logprobs for v in position.values()):
        return Finding(what, False, f"not normalised: the likeliest {_TOPS} sum to {max(sums):.3f}", advice)
    first = found.top_logprobs[0]
    if not first:
        return Finding(what, False, "the tokens that it tells of are not those of its answer", advice)
    token = max(first, key=lambda t: first[t])
    detail = f"first token {token!r} {math.exp(first[token]):.2f}, the likeliest {len(first)} {sums[0]:.2f}"
    return Finding(what, True, detail)


def _seeds(engine: Engine, options: EngineOptions) -> Finding:
    """The same request must draw the same answer, and another one another. Rounding may spoil a few."""
    jobs = [_question("Name a city.", index=n, max_tokens=6) for n in range(_SEEDS)]
    first, again = (_ask(engine, jobs, options) for _ in range(2))
    failures = [c.failure for c in (*first, *again) if c.failure is not None]
    if failures:
        return Finding("seeds", False, failures[0], "see above")
    drawn, redrawn = ([(c.reasoning, c.text) for c in completions] for completions in (first, again))
    same = sum(a == b for a, b in zip(drawn, redrawn, strict=True))
    different = len(set(drawn))
    detail = f"{same} of {_SEEDS} answers came again, {different} of them different"
    advice = "runs cannot be repeated exactly; finished answers are kept in the journal all the same"
    return Finding("seeds", 2 * same >= _SEEDS, detail, advice)


def _throughput(engine: Engine, options: EngineOptions) -> Finding:
    jobs = [
        _question("Tell a short story about a lighthouse.", index=n, max_tokens=_BURST_TOKENS)
        for n in range(_BURST)
    ]
    began = time.monotonic()
    found = _ask(engine, jobs, options)
    seconds = max(time.monotonic() - began, 1e-9)
    failures = [c.failure for c in found if c.failure is not None]
    tokens = sum(c.completion_tokens for c in found)
    detail = f"{_BURST} requests in {seconds:.1f} s: {tokens / seconds:,.0f} tokens/s"
    if failures:
        return Finding(
            "throughput", False, f"{len(failures)} of {_BURST} failed: {failures[0]}", "see above"
        )
    return Finding("throughput", True, detail)


_CHECKS: tuple[Callable[[Engine, EngineOptions], Finding], ...] = (
    _template,
    _logprobs,
    _seeds,
    _throughput,
)


def _question(content: str, index: int = 0, **sampling: float) -> Job:
    request = Request(
        role="doctor",
        messages=conversation(content),
        sampling=Sampling.model_validate(sampling),
        sample_index=index,
    )
    return Job(key=request.key("doctor"), request=request)


def _ask(engine: Engine, jobs: Sequence[Job], options: EngineOptions) -> list[Completion]:
    """The completions of jobs, in their order. What takes longer than the deadline has failed."""
    for job in jobs:
        engine.submit(job)
    found: dict[str, Completion] = {}
    ends = time.monotonic() + options.deadline
    while len(found) < len(jobs) and time.monotonic() < ends:
        found.update(engine.poll(timeout=1.0))
    late = Completion(failure=f"no answer within the deadline of {options.deadline:g} s")
    return [found.get(job.key, late) for job in jobs]
