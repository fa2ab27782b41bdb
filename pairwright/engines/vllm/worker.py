"""vLLM behind two pipes: jobs come in as lines, completions go out as lines as they finish.

Runs under the Python of whatever environment holds vLLM, and needs nothing else there. What the
installed vLLM can do is asked of it, never concluded from its version.

In: `{"model", "dtype", "arguments", "further"}`, `{"key", "prompt", …}` for a job and `{"drain": true}`.
Out: `{"ready": …}` or `{"refused": why}` once, then `{"key", "text", …}` or `{"key", "failure"}`,
`{"alive": true}` now and then while tokens come, and `{"drained": true}`.
"""

import argparse
import dataclasses
import difflib
import inspect
import json
import multiprocessing.connection
import os
import queue
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable
from typing import Any, NoReturn

ALIVE_SECONDS = 2.0
HEADROOM = 1.25
"""Jobs in vLLM's hands for each sequence that it runs, so that none of its places stays empty."""


class Refused(Exception):
    """Nothing can be done with these settings; the message is for the user."""


class Worker:
    """Feeds an engine and drains it, until there is nobody left to do it for."""

    def __init__(self, out: int) -> None:
        self._out = out
        self._inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._waiting: deque[dict[str, Any]] = deque()
        self._draining = False
        self._spoke = 0.0

    def run(self) -> None:
        setting = json.loads(sys.stdin.buffer.readline())
        try:
            self._engine = opened(setting)
        except Refused as refused:
            self._say(refused=str(refused))
            return
        self._params = ParamsMaker()
        if unknown := self._params.unknown(setting.get("further", ())):
            self._say(refused=unknown)
            return
        sequences = self._engine.vllm_config.scheduler_config.max_num_seqs
        self._room = int(HEADROOM * sequences) + 1
        import vllm

        self._say(
            ready={
                "vllm": vllm.__version__,
                "context": self._engine.vllm_config.model_config.max_model_len,
                "sequences": sequences,
            }
        )
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=die_with_children, daemon=True).start()
        while self._take_in():
            self._feed()
            if self._engine.has_unfinished_requests():
                self._step()

    def _listen(self) -> None:
        """In a thread of its own, so that whoever writes to us never waits for a step."""
        for line in sys.stdin.buffer:
            self._inbox.put(json.loads(line))
        self._inbox.put(None)

    def _take_in(self) -> bool:
        """Note all that has been asked; wait only when there is nothing else to do. False at the end."""
        while True:
            idle = not self._waiting and not self._engine.has_unfinished_requests()
            if idle and self._draining:
                self._draining = False
                self._say(drained=True)
            try:
                message = self._inbox.get(block=idle)
            except queue.Empty:
                return True
            if message is None:
                return False
            if "drain" in message:
                self._draining = True
                self._waiting.clear()
            else:
                self._waiting.append(message)
                if idle and self._inbox.empty():
                    return True

    def _feed(self) -> None:
        while self._waiting and self._engine.get_num_unfinished_requests() < self._room:
            job = self._waiting.popleft()
            try:
                prompt = {"prompt_token_ids": job["prompt"]}
                self._engine.add_request(job["key"], prompt, self._params.of(job))
            except Exception as error:
                traceback.print_exc()
                if "Dead" in type(error).__name__:
                    raise  # nobody's fault but the engine's
                self._say(key=job["key"], failure=first_line(error))

    def _step(self) -> None:
        for output in self._engine.step():
            if output.finished:
                self._say(**result(output))
        if time.monotonic() - self._spoke > ALIVE_SECONDS:
            self._say(alive=True)

    def _say(self, **message: Any) -> None:
        line = json.dumps(message).encode() + b"\n"
        while line:
            line = line[os.write(self._out, line) :]
        self._spoke = time.monotonic()


def die_with_children() -> None:
    """End when a process of vLLM's ends. It waits for ever for one that was killed."""
    children = multiprocessing.active_children()
    if children:
        ended = multiprocessing.connection.wait([child.sentinel for child in children])
        child = next(child for child in children if child.sentinel in ended)
        print(
            f"vLLM's process {child.name} ended with exit code {child.exitcode}",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)


class ParamsMaker:
    """Sampling parameters, with constraints by whichever name this vLLM has for them."""

    def __init__(self) -> None:
        from vllm import sampling_params

        self._module = sampling_params
        self._constraint: tuple[Any, str] | None = None
        names = (
            ("StructuredOutputsParams", "structured_outputs"),
            ("GuidedDecodingParams", "guided_decoding"),
        )
        for kind, argument in names:
            if hasattr(self._module, kind) and argument in parameters(self._module.SamplingParams):
                self._constraint = getattr(self._module, kind), argument
                break
        kinds = getattr(self._module, "RequestOutputKind", None)
        self._always = {"output_kind": kinds.FINAL_ONLY} if kinds else {}

    def of(self, job: dict[str, Any]) -> Any:
        """vLLM's parameters for a job."""
        names = ("max_tokens", "temperature", "top_p", "seed", "stop_token_ids", "logprobs")
        given = {name: job[name] for name in names if job.get(name) is not None}
        wanted = {"choice": job.get("choices"), "json": job.get("json_schema")}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        if wanted and self._constraint is None:
            raise ValueError("this vLLM knows neither structured outputs nor guided decoding")
        if wanted and self._constraint is not None:
            kind, argument = self._constraint
            given[argument] = kind(**wanted)
        return self._module.SamplingParams(**given, **job.get("further", {}), **self._always)

    def unknown(self, names: Iterable[str]) -> str | None:
        """What to say of fields that this vLLM does not sample by."""
        known = parameters(self._module.SamplingParams)
        wrong = next((name for name in names if name not in known), None)
        return wrong and f"--extra_body: vLLM's sampling has no `{wrong}`"


def opened(setting: dict[str, Any]) -> Any:
    """vLLM's engine of a model. Raises `Refused` where the settings are at fault."""
    try:
        from vllm.engine import arg_utils
    except ImportError as error:
        traceback.print_exc()
        raise Refused(f"vllm cannot be imported by {sys.executable}: {first_line(error)}") from error
    arguments = {"model": setting["model"], "dtype": setting["dtype"], "disable_log_stats": "true"}
    arguments |= setting["arguments"]
    if not _takes_parts_of_prompts() and "max_num_batched_tokens" not in arguments:
        arguments.setdefault("enable_chunked_prefill", "false")
    args = arg_utils.EngineArgs.from_cli_args(parsed(arg_utils.EngineArgs, arguments))
    try:
        from vllm.v1.engine import llm_engine
    except ImportError:
        from vllm.engine import llm_engine
    try:
        return llm_engine.LLMEngine.from_engine_args(args)
    except Exception as error:
        traceback.print_exc()
        raise Refused(first_line(error)) from error


def _takes_parts_of_prompts() -> bool:
    """Whether vLLM can read a prompt in parts: on CPUs its engine dies of that when requests have seeds."""
    from vllm.platforms import current_platform

    return not current_platform.is_cpu()


def parsed(engine_args: Any, arguments: dict[str, str]) -> argparse.Namespace:
    """Settings as vLLM's own command line reads them, so that every spelling of a value is its."""
    parser = parser_of(engine_args)
    actions = {action.dest: action for action in parser._actions if action.option_strings}
    words: list[str] = []
    for name, value in arguments.items():
        if name not in actions:
            close = difflib.get_close_matches(name, actions, n=1)
            hint = (
                f"did you mean --engine.{close[0]}?" if close else "`vllm serve --help` lists what there is"
            )
            raise Refused(f"vLLM has no setting --engine.{name}; {hint}")
        words += as_words(name, actions[name], value)
    return parser.parse_args(words)


def as_words(name: str, action: argparse.Action, value: str) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if action.nargs == 0 or isinstance(action, argparse.BooleanOptionalAction):
        if value.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise Refused(f"--engine.{name}: is true or false, not {value!r}")
        on = value.lower() in ("true", "yes", "1")
        off = [f"--no-{flag[2:]}"] if isinstance(action, argparse.BooleanOptionalAction) else []
        return [flag] if on else off
    return [flag, *value.split()] if action.nargs in ("+", "*") else [f"{flag}={value}"]


def parser_of(engine_args: Any) -> argparse.ArgumentParser:
    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser as Parser
    except ImportError:
        from vllm.utils import FlexibleArgumentParser as Parser
    parser = engine_args.add_cli_args(Parser(prog="vllm"))

    def refuse(message: str) -> NoReturn:
        argument, _, what = message.removeprefix("argument --").partition(": ")
        raise Refused(f"--engine.{argument.split('/')[0].replace('-', '_')}: {what}")

    parser.error = refuse
    return parser  # type: ignore[no-any-return]


def result(output: Any) -> dict[str, Any]:
    """What vLLM says of a finished request, as one line tells it."""
    [answer] = output.outputs
    if answer.finish_reason not in ("stop", "length"):
        return {"key": output.request_id, "failure": f"vLLM gave up the request: {answer.finish_reason}"}
    return {
        "key": output.request_id,
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": len(output.prompt_token_ids or ()),
        "completion_tokens": len(answer.token_ids),
        "tops": [ranked(position) for position in answer.logprobs or ()],
    }


def ranked(position: Any) -> list[tuple[int, float]]:
    """Token ids and log-probabilities at a position, the likeliest first; the drawn one may be last."""
    tops = sorted(position.items(), key=lambda top: top[1].rank or sys.maxsize)
    return [(token, top.logprob) for token, top in tops]


def parameters(kind: Any) -> set[str]:
    names = set(getattr(kind, "__struct_fields__", ()))
    if dataclasses.is_dataclass(kind):
        names |= {field.name for field in dataclasses.fields(kind)}
    return names or set(inspect.signature(kind).parameters)


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # pydantic's first line only counts the errors
    told = next((line for line in lines if line.startswith(("Value error,", "Assertion failed,"))), None)
    return (told or (lines[0] if lines else type(error).__name__)).split(" [type=")[0]


if __name__ == "__main__":
    out = os.dup(1)
    os.dup2(2, 1)  # whatever vLLM prints belongs to the log
    os.environ.setdefault("VLLM_RPC_BASE_PATH", os.environ.get("KEPT_FOLDER", "/tmp"))
    code = 0
    try:
        Worker(out).run()
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)  # no thread and no child is waited for: the keeper ends them all
