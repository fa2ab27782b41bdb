"""Five styles of chat template over small tokenizers, each as close to its model's as matters."""

from collections.abc import Iterator
from functools import cache

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from pairwright.models.smollm2 import smollm2_folder

LLAMA3 = """{%- for m in messages %}\
{% set head = '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' %}\
{% set text = head + m['content'] | trim + '<|eot_id|>' %}\
{% if loop.first %}{% set text = bos_token + text %}{% endif %}\
{{ text }}{% endfor %}{% if add_generation_prompt %}\
{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"""

GEMMA = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}\
{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}\
{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' + m['content'] | trim \
+ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"""

MISTRAL = """{%- if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}\
{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}{{ bos_token }}\
{%- for m in turns %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('roles must alternate user and assistant') }}{% endif %}{% if m['role'] == 'user' %}\
{% if loop.first and system is defined %}{{ '[INST] ' + system + '\n\n' + m['content'] + '[/INST]' }}\
{% else %}{{ '[INST] ' + m['content'] + '[/INST]' }}{% endif %}{% else %}\
{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"""

QWEN = """{%- if messages[0]['role'] == 'system' %}\
{{ '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}{% else %}\
{{ '<|im_start|>system\nYou are a careful assistant.<|im_end|>\n' }}{% endif %}\
{% for m in messages %}{% if m['role'] == 'assistant' and '</think>' in m['content'] %}\
{{ '<|im_start|>assistant\n' + m['content'].split('</think>')[-1].lstrip('\n') + '<|im_end|>\n' }}\
{% elif m['role'] == 'assistant' and loop.last %}\
{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' + m['content'].lstrip('\n') + '<|im_end|>\n' }}\
{% elif m['role'] != 'system' or not loop.first %}\
{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

OPENED = """{% for m in messages %}\
{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"""

TOOLS = """{%- if tools %}{{- '<|im_start|>system\n# Tools\n<tools>' }}\
{%- for tool in tools %}{{- '\n' + (tool | tojson) }}{%- endfor %}\
{{- '\n</tools><|im_end|>\n' }}{%- endif %}\
{%- for d in documents or [] %}{{- '<|im_start|>document\n' + d.text + '<|im_end|>\n' }}{%- endfor %}\
{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + (m.content or '') }}\
{%- for c in m.tool_calls or [] %}{%- set f = c.function %}\
{{- ('\n' if m.content or not loop.first else '') + '<tool_call>\n{"name": "' + f.name }}\
{{- '", "arguments": ' + (f.arguments if f.arguments is string else f.arguments | tojson) }}\
{{- '}\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\n' }}{%- endfor %}\
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}\
{%- if enable_thinking is defined and not enable_thinking %}{{- '<think>\n\n</think>\n\n' }}\
{%- endif %}{%- endif %}"""

_TEXT = [
    "The quick brown fox jumps over the lazy dog while the user asks the assistant a question.",
    "You are a careful assistant. system user assistant model\n\nHello there, how are you today?",
    "A list:\n- one\n- two\n\n[INST] is text [/INST] and <think> too; 1 < 2 and 3 > 2 | 4.  Two  spaces.",
]


@cache
def chatml() -> PreTrainedTokenizerFast:
    """The embedded model's own."""
    return AutoTokenizer.from_pretrained(smollm2_folder())


@cache
def llama3() -> PreTrainedTokenizerFast:
    marks = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
    return _wrapped(_byte_level(marks), LLAMA3, marks[0], marks[1])


@cache
def qwen() -> PreTrainedTokenizerFast:
    """With `<think>` added but not special."""
    tokenizer = _wrapped(
        _byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>"]), QWEN, None, "<|im_end|>"
    )
    plain = [AddedToken(t, special=False, normalized=False) for t in ("<think>", "</think>")]
    tokenizer.add_tokens(plain)
    return tokenizer


@cache
def thinking() -> PreTrainedTokenizerFast:
    """A template whose invitation opens a thought that a finished turn does not show."""
    tokenizer = _wrapped(_byte_level(["<|im_start|>", "<|im_end|>"]), OPENED, None, "<|im_end|>")
    tokenizer.add_tokens([AddedToken("<think>", special=False), AddedToken("</think>", special=False)])
    return tokenizer


def thinking_style(template: str) -> PreTrainedTokenizerFast:
    """A template of a model that thinks, over a vocabulary that has the marks of them all."""
    marks = ["<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>"]
    marks += ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>"]
    end = "<|return|>" if "<|return|>" in template else "<|im_end|>"
    tokenizer = _wrapped(_byte_level(marks), template, None, end)
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in ("<think>", "</think>")])
    return tokenizer


@cache
def tooled() -> PreTrainedTokenizerFast:
    """A template that shows tools, their calls and documents, in the form of Hermes and Qwen."""
    return thinking_style(TOOLS)


@cache
def gemma() -> PreTrainedTokenizerFast:
    """No space before the first word; blank lines are added tokens; its eos ends no turn."""
    marks = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    backend = _pieces(marks)
    backend.normalizer = normalizers.Replace(" ", "▁")
    tokenizer = _wrapped(backend, GEMMA, "<bos>", "<eos>")
    tokenizer.add_tokens([AddedToken("\n\n", special=False, normalized=False)])
    return tokenizer


@cache
def mistral() -> PreTrainedTokenizerFast:
    """A space is put before the first word, and before the first after every mark."""
    marks = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    backend = _pieces(marks)
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return _wrapped(backend, MISTRAL, "<s>", "</s>")


@cache
def mistral_first() -> PreTrainedTokenizerFast:
    """A space is put before the first word alone."""
    marks = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    backend = _pieces(marks)
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return _wrapped(backend, MISTRAL, "<s>", "</s>")


@cache
def mistral_pieces() -> PreTrainedTokenizerFast:
    """`[INST]` is no added token but a piece that merges lead to."""
    pieces = ["[INST]", "[/INST]"]
    backend = _pieces(["<unk>", "<s>", "</s>"], pieces)
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return _wrapped(backend, MISTRAL, "<s>", "</s>")


STYLES = {
    f.__name__: f for f in (chatml, llama3, gemma, mistral, mistral_first, mistral_pieces, qwen, thinking)
}


def _byte_level(marks: list[str]) -> Tokenizer:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        _TEXT,
        trainers.BpeTrainer(
            vocab_size=600, initial_alphabet=alphabet, special_tokens=marks, show_progress=False
        ),
    )
    return backend


def _pieces(marks: list[str], reached: list[str] | None = None) -> Tokenizer:
    """Sentencepiece-style BPE with bytes to fall back on; `reached` are pieces of merged letters."""
    vocab = {mark: i for i, mark in enumerate(marks)}
    merges: list[tuple[str, str]] = []
    for piece in [f"<0x{byte:02X}>" for byte in range(256)] + sorted(set("".join(_TEXT)) | {"▁"}):
        vocab.setdefault(piece, len(vocab))
    for word in [*(reached or []), "▁the", "▁fox", "▁\n", "\n\n", "▁▁", "user", "model", "an", "is"]:
        for left, right in _steps(word):
            if left + right not in vocab:
                vocab[left + right] = len(vocab)
                merges.append((left, right))
    backend = Tokenizer(models.BPE(vocab, merges, byte_fallback=True, unk_token=marks[0]))
    backend.add_special_tokens(marks)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return backend


def _steps(word: str) -> Iterator[tuple[str, str]]:
    for at in range(1, len(word)):
        yield word[:at], word[at]


def _wrapped(backend: Tokenizer, template: str, bos: str | None, eos: str) -> PreTrainedTokenizerFast:
    named = {"bos_token": bos, "eos_token": eos}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **{k: v for k, v in named.items() if v})
    tokenizer.chat_template = template
    return tokenizer
