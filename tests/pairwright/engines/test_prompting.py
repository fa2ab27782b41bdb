"""Thinking switched on and off by chat templates, and thoughts that a template has opened."""

import pytest
from tiny_model import TEMPLATE, save_tiny_model, tiny_tokenizer

from pairwright.engines import EngineOptions
from pairwright.engines.asked import Asked
from pairwright.engines.hf.engine import HFEngine
from pairwright.engines.prompting import Prompting
from pairwright.engines.thoughts import apart
from pairwright.errors import PairwrightError, UsageError
from pairwright.records import Job, Request, Sampling, conversation

PLAIN = Sampling()
INVITES = "<|assistant|>{% endif %}"
QWEN = TEMPLATE.replace(
    INVITES,
    "<|assistant|>{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"
    "{% endif %}",
)
DEEPSEEK = TEMPLATE.replace(
    INVITES, "<|assistant|>{% if thinking %}<think>{% else %}</think>{% endif %}{% endif %}"
)
SMOLLM3 = TEMPLATE.replace(
    INVITES,
    "<|assistant|>{% if '/no_think' in messages[0].content %}<think></think>{% endif %}{% endif %}",
)
ALWAYS = TEMPLATE.replace(INVITES, "<|assistant|><think>\n{% endif %}{# </think> #}")
EFFORT = TEMPLATE.replace(INVITES, "{{ reasoning_effort }}<|assistant|>{% endif %}")


def rendered(written: str, sampling: Sampling = PLAIN, **asked: object) -> str:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = written
    request = Request(role="policy", messages=conversation("Hi"), sampling=sampling)
    prompting = Prompting(tokenizer, Asked(**asked), "hf:m")
    return tokenizer.decode(prompting.prompt(request).ids)


@pytest.mark.parametrize(
    ("template", "on", "off", "auto"),
    [
        (QWEN, "<|assistant|>", "<think></think>", "<|assistant|>"),
        (DEEPSEEK, "<|assistant|><think>", "<|assistant|></think>", "<|assistant|></think>"),
        (SMOLLM3, "/think<|end|><|user|>Hi<|end|><|assistant|>", "</think>", "<|assistant|>"),
    ],
    ids=["qwen3", "deepseek", "smollm3"],
)
def test_each_template_is_switched_in_its_own_way(template: str, on: str, off: str, auto: str) -> None:
    assert rendered(template, thinking="on").endswith(on)
    assert rendered(template, thinking="off").endswith(off)
    assert rendered(template).endswith(auto)
    assert rendered(template, Sampling(logprobs=5)).endswith(off)  # read at its first token


def test_variables_and_effort_reach_the_template() -> None:
    assert rendered(QWEN, template={"enable_thinking": False}).endswith("</think>")
    assert rendered(EFFORT, reasoning_effort="high").endswith("high<|assistant|>")


@pytest.mark.parametrize(
    ("template", "asked", "said"),
    [
        (ALWAYS, {"thinking": "off"}, "--thinking off: the chat template of hf:m has no switch"),
        (TEMPLATE, {"thinking": "on"}, "--thinking on: the chat template of hf:m knows no thoughts"),
        (QWEN, {"reasoning_effort": "low"}, "--reasoning_effort: .* what it reads: enable_thinking"),
        (TEMPLATE, {"template": {"foo": 1}}, "--chat_template_kwargs: .* reads no `foo`; .*: none"),
    ],
)
def test_what_a_template_cannot_do_is_refused_when_it_is_loaded(
    template: str, asked: dict, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        rendered(template, **asked)


def test_a_first_token_cannot_be_read_where_a_thought_is_open() -> None:
    with pytest.raises(PairwrightError, match=r"thinks before it answers .* --protocol text"):
        rendered(ALWAYS, Sampling(logprobs=5))
    with pytest.raises(PairwrightError, match="--thinking is on"):
        rendered(QWEN, Sampling(logprobs=5), thinking="on")


def test_a_thought_that_the_template_opened_is_told_apart(tmp_path) -> None:
    folder = save_tiny_model(tmp_path / "m")
    (tmp_path / "m" / "chat_template.jinja").write_text(ALWAYS)
    engine = HFEngine(folder, EngineOptions(device="cpu"), f"hf:{folder}")
    request = Request(role="policy", messages=conversation("Hi"), sampling=Sampling(max_tokens=8))
    engine.submit(Job(key="0" * 32, request=request))
    [(_, completion)] = engine.poll()
    assert completion.text.startswith("<think>")
    told = apart(completion)
    assert told.text == ""
    assert told.reasoning
    assert told.reasoning in completion.text
