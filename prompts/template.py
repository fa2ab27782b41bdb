"""Load a template and render it into chat messages."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

_HERE = Path(__file__).parent
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
)


class TemplateError(ValueError):
    """A template that cannot be used; the message says where and why."""


class Template(NamedTuple):
    """A prompt template: its name, its exact text, and the compiled form of it."""

    name: str
    text: str
    compiled: jinja2.Template

    @property
    def hash(self) -> str:
        """Identity of the text: 16 hex digits of its SHA-256."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def messages(self, **variables: Any) -> list[dict[str, str]]:
        """The chat messages, `{role, content}`, of every block in order. Single pass.

        Raises `TemplateError` naming a variable that the template wants and did not get.
        """
        return list(self._render(variables))

    def _render(self, variables: dict[str, Any]) -> Iterator[dict[str, str]]:
        context = self.compiled.new_context(variables)
        for block, render in self.compiled.blocks.items():
            try:
                content = "".join(render(context)).strip()
            except jinja2.TemplateError as error:
                raise TemplateError(f"{self.name}, block {block}: {error.message}") from None
            yield {"role": block.partition("_")[0], "content": content}


def load(name: str) -> Template:
    """A template by name (`revise`: ours) or by path (`my/revise.j2`: the user's).

    Raises `TemplateError` when there is no such template, when it is broken, or has no blocks.
    """
    path = Path(name) if name.endswith(".j2") else _HERE / f"{name}.j2"
    try:
        text = path.read_text(encoding="utf-8")
        compiled = _ENVIRONMENT.from_string(text)
    except FileNotFoundError:
        ours = ", ".join(sorted(p.stem for p in _HERE.glob("*.j2")))
        raise TemplateError(f"{name}: no such template; ours are {ours}, a file ends in .j2") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path}: cannot be read ({error})") from None
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{path} line {error.lineno}: {error.message}") from None
    if not compiled.blocks:
        raise TemplateError(f"{path}: has no blocks; each message is a {{% block ROLE %}}")
    return Template(path.stem, text, compiled)
