"""Load a template and render it into chat messages."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

_HERE = Path(__file__).parent


class _Given(str):
    """Text that a template was given, told apart from the template's own when both are joined."""

    __slots__ = ()

    def __str__(self) -> str:
        return self


def _shown(value: Any) -> Any:
    """A value as it is rendered: None as no text, lists and objects as JSON."""
    if isinstance(value, dict | list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return _Given(value or "") if isinstance(value, str | None) else value


class Columns:
    """A row's columns for `{{ row.NAME }}`; a missing one is rendered as empty text."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values.get(name)


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,
    finalize=_shown,
)
_ROLES = ("system", "developer", "user", "assistant", "tool")
_OTHER_FILES = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)


class TemplateError(ValueError):
    """A template that cannot be used; the message says where and why."""


class Template(NamedTuple):
    """A prompt template: its name, its exact text, and the compiled form of it."""

    name: str
    text: str
    variables: frozenset[str]
    """What it must be given."""
    compiled: jinja2.Template
    hash: str
    """Identity of the text: 16 hex digits of its SHA-256."""
    columns: tuple[str, ...] = ()
    """Columns of the row that it shows: `reference` for `{{ row.reference }}`."""

    def messages(self, **variables: Any) -> list[dict[str, str]]:
        """Return the chat messages, `{role, content}`, of every block in order. Single pass.

        White space of the template's own at either end of a block is left out; that of a text which
        it was given stays.

        Raises `TemplateError` naming a variable that the template wants and did not get.
        """
        return list(self._render(variables))

    def __reduce__(self) -> tuple[Any, ...]:
        """Compiled again from its text where it is taken to another process."""
        return parse, (self.text, str(self.compiled.filename))

    def require(self, *known: str) -> None:
        """Raise `TemplateError` if the template wants any variable but these."""
        for name in sorted(self.variables - set(known)):
            raise TemplateError(f"{self.name}: no variable `{name}`; there are {', '.join(known)}")

    def _render(self, variables: dict[str, Any]) -> Iterator[dict[str, str]]:
        context = self.compiled.new_context(variables)
        for block, render in self.compiled.blocks.items():
            try:
                content = _trimmed(list(render(context)))
            except Exception as error:  # a template is a program: it can divide by zero, or loop too far
                line = self._line(error)
                raise TemplateError(f"{self.name} line {line}, block {block}: {_said(error)}") from None
            yield {"role": _role(block), "content": content}

    def _line(self, error: Exception) -> int:
        """The line of the template in which it went wrong."""
        line, frame = 1, error.__traceback__
        while frame is not None:
            if frame.tb_frame.f_code.co_filename == self.compiled.filename:
                line = self.compiled.get_corresponding_lineno(frame.tb_lineno)
            frame = frame.tb_next
        return line


def _trimmed(pieces: list[str]) -> str:
    """The pieces as one text, without white space of the template's own at its ends."""
    while pieces and not isinstance(pieces[0], _Given):
        pieces[0] = pieces[0].lstrip()
        if pieces[0]:
            break
        del pieces[0]
    while pieces and not isinstance(pieces[-1], _Given):
        pieces[-1] = pieces[-1].rstrip()
        if pieces[-1]:
            break
        del pieces[-1]
    return "".join(pieces)


def load(name: str) -> Template:
    """Return a template by name (`revise`: ours) or by path (`my/revise.j2`: the user's).

    Raises `TemplateError` when there is no such template, when it is broken, or when it holds
    anything besides messages.
    """
    path = Path(name) if name.endswith(".j2") else _HERE / f"{name}.j2"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        ours = ", ".join(sorted(p.stem for p in _HERE.glob("*.j2")))
        raise TemplateError(f"{name}: no such template; ours are {ours}, a file ends in .j2") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path}: cannot be read ({error})") from None
    return parse(text, str(path))


@lru_cache(maxsize=64)
def parse(text: str, file: str) -> Template:
    """Return the template that a file holds. Raises `TemplateError` like `load`."""
    path = Path(file)
    try:
        tree = _ENVIRONMENT.parse(text, filename=file)
        _check(tree, path)
        code = _ENVIRONMENT.compile(tree, filename=file)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{path} line {error.lineno}: {_said(error)}") from None
    except RecursionError:
        raise TemplateError(f"{path}: nested too deep") from None
    compiled = _ENVIRONMENT.template_class.from_code(_ENVIRONMENT, code, dict(_ENVIRONMENT.globals))
    variables = meta.find_undeclared_variables(tree) - _ENVIRONMENT.globals.keys()
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Template(path.stem, text, frozenset(variables), compiled, digest, _columns(tree))


def _columns(tree: nodes.Template) -> tuple[str, ...]:
    """What is looked up in `row`, by a name that stands there."""
    found: dict[str, None] = {}
    for node in tree.find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name) and node.node.name == "row":
            found[node.attr] = None
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.node, nodes.Name) and item.node.name == "row":
            name = item.arg.value if isinstance(item.arg, nodes.Const) else None
            found |= {name: None} if isinstance(name, str) else {}
    return tuple(found)


def _check(tree: nodes.Template, path: Path) -> None:
    """Refuse what would silently not be in the messages, or is no message."""
    blocks = [node for node in tree.body if isinstance(node, nodes.Block)]
    for node in tree.body:
        if not isinstance(node, nodes.Block) and not _is_blank(node):
            raise TemplateError(
                f"{path} line {_first_line(node)}: stands outside of every block and would be left out; "
                "put it into a {% block ROLE %}"
            )
    for block in blocks:
        if _role(block.name) not in _ROLES:
            raise TemplateError(
                f"{path} line {block.lineno}: block {block.name} is of no role; "
                f"names begin with {', '.join(_ROLES)}"
            )
        for inner in block.find_all((nodes.Block, *_OTHER_FILES)):
            what = "a block in a block" if isinstance(inner, nodes.Block) else "another template"
            raise TemplateError(f"{path} line {inner.lineno}: {what} is not possible here")
    if not blocks:
        raise TemplateError(f"{path}: has no blocks; each message is a {{% block ROLE %}}")


def _is_blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Output) and all(
        isinstance(part, nodes.TemplateData) and not part.data.strip() for part in node.nodes
    )


def _first_line(node: nodes.Node) -> int:
    """Line of the first thing to see: text counts from the white space before it."""
    if isinstance(node, nodes.Output) and isinstance(node.nodes[0], nodes.TemplateData):
        data = node.nodes[0].data
        return node.lineno + data[: len(data) - len(data.lstrip())].count("\n")
    return node.lineno


def _role(block: str) -> str:
    return block.partition("_")[0]


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
