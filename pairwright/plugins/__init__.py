"""The user's own functions and objects: named `file.py:name` or `module:name`, or handed over.

Wherever a name is taken, such a name is taken too, and from Python the object itself. Nothing is
registered: `load` finds the object, checks it against what is wanted, and its `identity` changes with its
source.
"""

from pairwright.plugins.guarded import guarded, require
from pairwright.plugins.handed import Named, NamedEngine, named
from pairwright.plugins.loading import Plugin, is_plugin, is_there, load
from pairwright.plugins.wanted import Wanted, function, takes

__all__ = [
    "Named",
    "NamedEngine",
    "Plugin",
    "Wanted",
    "function",
    "guarded",
    "is_plugin",
    "is_there",
    "load",
    "named",
    "require",
    "takes",
]
