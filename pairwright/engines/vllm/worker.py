"""vLLM behind two pipes: jobs come in as lines, completions go out as lines as they finish.

Runs under the Python of whatever environment holds vLLM, and needs nothing else there. What the
installed vLLM can do is asked of it, never concluded from its version.

In: `{"model", "adapter", "dtype", "arguments", …}`, `{"key", "prompt", …}` for a job, `{"drain": true}`,
and while no job is in hand `{"rest": true}` and `{"change": {"model", "adapter", …}}`.
Out: `{"ready": …}` or `{"refused": why}` once and after a change, then `{"key", "text", …}` or
`{"key", "failure"}`, `{"alive": true}` now and then while tokens come, `{"drained"}` and `{"resting"}`.
"""

import dataclasses
import inspect
import json
import multiprocessing.connection
import os
import queue
import runpy
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ALIVE_SECONDS = 2.0
HEADROOM = 1.25
"""Jobs in vLLM's hands for each sequence that it runs, so that none of its places stays empty."""

# A folder of ours on vLLM's path could stand before its own modules, in its child processes too.
_STARTING = runpy.run_path(str(Path(__file__).with_name("starting.py")))
Refused, first_line = _STARTING["Refused"], _STARTING["first_line"]


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
            self._engine = _STARTING["started"](setting)
            self._weights = Weights(self._engine, setting)
            self._params = ParamsMaker()
            self._params.check(setting.get("further", ()))
        except Refused as refused:
            self._say(refused=str(refused))
            return
        sequences = self._engine.vllm_config.scheduler_config.max_num_seqs
        self._room = int(HEADROOM * sequences) + 1
        import vllm

        self._ready = {
            "vllm": vllm.__version__,
            "context": self._engine.vllm_config.model_config.max_model_len,
            "sequences": sequences,
        }
        self._say(ready=self._ready)
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
            elif "rest" in message:
                self._say(resting=self._weights.rest())
            elif "change" in message:
                self._change(message["change"])
            else:
                self._waiting.append(message)
                if idle and self._inbox.empty():
                    return True

    def _change(self, setting: dict[str, Any]) -> None:
        try:
            self._weights.change(setting)
        except Refused as refused:
            self._say(refused=str(refused))
        else:
            self._say(ready=self._ready)

    def _feed(self) -> None:
        while self._waiting and self._engine.get_num_unfinished_requests() < self._room:
            job = self._waiting.popleft()
            try:
                prompt = {"prompt_token_ids": job["prompt"]}
                params = self._params.of(job)
                self._engine.add_request(job["key"], prompt, params, lora_request=self._weights.adapter)
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


class Weights:
    """The weights in an engine, and their adapter: swapped in place, asleep while the engine is idle."""

    def __init__(self, engine: Any, setting: dict[str, Any]) -> None:
        from vllm.platforms import current_platform

        self._engine = engine
        self._model: str = setting["model"]
        self._on_cpu: bool = current_platform.is_cpu()
        self._asleep = False
        self.adapter: Any = None
        self._put_on(setting.get("adapter", ""), setting.get("weights", ""))

    def rest(self) -> bool:
        """Free the GPU, keeping the weights in main memory; False if this vLLM cannot."""
        if not self._on_cpu and not self._engine.vllm_config.model_config.enable_sleep_mode:
            return False
        if not self._on_cpu:
            self._engine.sleep(level=1)
            self._asleep = True
        return True

    def change(self, setting: dict[str, Any]) -> None:
        """Load other weights, or another adapter. Raises `Refused` if this vLLM cannot."""
        try:
            if self._asleep:
                self._engine.wake_up()
                self._asleep = False
            if setting["model"] != self._model:
                self._engine.collective_rpc("reload_weights", kwargs={"weights_path": setting["model"]})
                self._model, self.adapter = setting["model"], None
            self._put_on(setting["adapter"], setting["weights"])
            self._engine.reset_prefix_cache()
        except Exception as error:
            traceback.print_exc()
            raise Refused(first_line(error)) from error

    def _put_on(self, folder: str, name: str) -> None:
        """Put the adapter in a folder on the model, in the place of the one before; `""` for none."""
        before = self.adapter
        if before is not None and before.lora_name == name:
            return
        self.adapter = None
        if before is not None:
            self._engine.remove_lora(before.lora_int_id)
        if folder:
            from vllm.lora.request import LoRARequest

            number = before.lora_int_id + 1 if before is not None else 1
            adapter = LoRARequest(name, number, folder)
            try:
                self._engine.add_lora(adapter)
            except Exception as error:
                traceback.print_exc()
                raise Refused(f"{folder}: {first_line(error)}") from error
            self.adapter = adapter


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
        """Return vLLM's parameters for a job."""
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

    def check(self, names: Iterable[str]) -> None:
        """Raise `Refused` for fields that this vLLM does not sample by."""
        known = parameters(self._module.SamplingParams)
        if (wrong := next((name for name in names if name not in known), None)) is not None:
            raise Refused(f"--extra_body: vLLM's sampling has no `{wrong}`")


def result(output: Any) -> dict[str, Any]:
    """Return what vLLM says of a finished request, as one line tells it."""
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
    """Return token ids and log-probabilities of a position, likeliest first; the drawn one may be last."""
    tops = sorted(position.items(), key=lambda top: top[1].rank or sys.maxsize)
    return [(token, top.logprob) for token, top in tops]


def parameters(kind: Any) -> set[str]:
    names = set(getattr(kind, "__struct_fields__", ()))
    if dataclasses.is_dataclass(kind):
        names |= {field.name for field in dataclasses.fields(kind)}
    return names or set(inspect.signature(kind).parameters)


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
