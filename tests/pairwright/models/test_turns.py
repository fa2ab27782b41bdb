"""Where an answer ends, in templates of other makes: all of the turn is trained on, and one end."""

import pytest
from tiny_model import tiny_tokenizer

from pairwright.models.chat import encode_answer, end_of_turn
from pairwright.records import Message

BEGIN = "{% for m in messages %}<|{{ m['role'] }}|>"
END = "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
CALL = "{{ m.tool_calls[0].function.name }}{{ m.tool_calls[0].function.arguments | tojson }}"
MORE = ("<|ER|>", "<|call|>", "<|all|>", "<|th|>")
CALLS = [{"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]


def written(body: str, end: str = END, **answer: object) -> tuple[str, str]:
    """The tokens of an answer under a template, and the token that ends a turn."""
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([*MORE], special_tokens=True)
    tokenizer.chat_template = f"{BEGIN}{body}{end}"
    said = Message.model_validate({"role": "assistant", "content": "yo", **answer})
    ids = encode_answer(tokenizer, [Message(role="user", content="hi")], [said]).answer_ids
    return "".join(tokenizer.convert_ids_to_tokens(ids)), tokenizer.convert_ids_to_tokens(
        end_of_turn(tokenizer)
    )


@pytest.mark.parametrize(
    ("body", "end", "answer", "tokens", "last"),
    [
        ("{{ m.content }}<|end|>\n", END, {}, "yo<|end|>", "<|end|>"),
        ("{{ m.content }}<|ER|><|end|>", END, {}, "yo<|ER|><|end|>", "<|end|>"),
        # what stands at the end of a conversation alone ends no turn
        (
            "{{ m.content }}<|end|>",
            END.replace("{% endif", "{% else %}<|all|>{% endif"),
            {},
            "yo<|end|>",
            "<|end|>",
        ),
        # each call ends in the token that ends the turn
        (
            "{{ m.content }}<|end|>{% if m.tool_calls %}<|call|>" + CALL + "<|end|>{% endif %}",
            END,
            {"tool_calls": CALLS},
            'yo<|end|><|call|>f{"a": 1}<|end|>',
            "<|end|>",
        ),
        # calls end in a token of their own
        (
            "{{ m.content }}{% if m.tool_calls %}" + CALL + "<|call|>{% else %}<|end|>{% endif %}",
            END,
            {"tool_calls": CALLS},
            'yof{"a": 1}<|call|>',
            "<|end|>",
        ),
        # a thought ends in the token that ends the turn
        (
            "{% if m.reasoning_content %}<|th|>{{ m.reasoning_content }}<|end|><|assistant|>{% endif %}"
            "{{ m.content }}<|end|>",
            END,
            {"reasoning": "hm"},
            "<|th|>hm<|end|><|assistant|>yo<|end|>",
            "<|end|>",
        ),
    ],
)
def test_the_whole_turn_is_encoded_and_ends_once(
    body: str, end: str, answer: dict[str, object], tokens: str, last: str
) -> None:
    assert written(body, end, **answer) == (tokens, last)
