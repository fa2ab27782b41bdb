"""vLLM's engine from a model and settings, as vLLM's own command line reads them.

Runs where `worker.py` does, under the Python of whatever environment holds vLLM.
"""

import argparse
import difflib
import sys
import traceback
from typing import Any, NoReturn


class Refused(Exception):
    """Raised for settings that cannot work; the message is for the user."""


def started(setting: dict[str, Any]) -> Any:
    """Return vLLM's engine of a model. Raises `Refused` where the settings are at fault."""
    try:
        from vllm.engine import arg_utils
    except ImportError as error:
        traceback.print_exc()
        raise Refused(f"vllm cannot be imported by {sys.executable}: {first_line(error)}") from error
    arguments = {"model": setting["model"], "dtype": setting["dtype"], "disable_log_stats": "true"}
    if setting.get("rank"):
        arguments |= {"enable_lora": "true", "max_loras": "1", "max_lora_rank": str(setting["rank"])}
    if setting.get("kept") and _can_sleep():
        arguments["enable_sleep_mode"] = "true"
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


def _can_sleep() -> bool:
    """Whether vLLM can leave the GPU to others without ending."""
    from vllm.platforms import current_platform

    asked = getattr(current_platform, "is_sleep_mode_available", None)
    return asked is not None and bool(asked())


def _takes_parts_of_prompts() -> bool:
    """Whether vLLM can read a prompt in parts: on CPUs its engine dies of that when requests have seeds."""
    from vllm.platforms import current_platform

    return not current_platform.is_cpu()


def parsed(engine_args: Any, arguments: dict[str, str]) -> argparse.Namespace:
    """Return settings as vLLM's own command line reads them, so that every spelling of a value is its."""
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


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # pydantic's first line only counts the errors
    told = next((line for line in lines if line.startswith(("Value error,", "Assertion failed,"))), None)
    return (told or (lines[0] if lines else type(error).__name__)).split(" [type=")[0]
