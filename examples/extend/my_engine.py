"""An engine of your own: `pairwright sample … --policy python:examples/extend/my_engine.py:parrot`."""


def parrot(messages: list[dict[str, str]]) -> str:
    """Answer a conversation; an engine in a library is the same with a request to it in here."""
    return f"You asked: {messages[-1]['content']}"
