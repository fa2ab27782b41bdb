"""Every instruction a model is ever given: Jinja2 templates and the loader that renders them.

A template is a file of blocks, and each block is one chat message: `{% block system %}`,
`{% block user_1 %}`, `{% block assistant_1 %}`, `{% block user %}`. The block's name up to the first
underscore is the message's role. Text from data only ever reaches a template as a variable, so it
can neither open a block nor run anything.
"""

from prompts.template import Template, load

__all__ = ["Template", "load"]
