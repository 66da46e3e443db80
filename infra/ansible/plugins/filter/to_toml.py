"""The filter `to_toml`: the configuration of repoint is TOML, and Ansible has no filter for it."""

import json
import re

from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: to_toml
short_description: Write a mapping as TOML
description:
  - A mapping becomes a table, a list of mappings an array of tables, in the given order.
  - A key without a value (C(null)) is left out, since TOML has no null.
options:
  _input:
    description: The mapping.
    type: dict
    required: true
author: The repoint project
"""
EXAMPLES = """
# [aws]
# region = "eu-central-1"
text: "{{ {'aws': {'region': 'eu-central-1'}} | repoint.postgresql.to_toml }}"
"""
RETURN = """
_value:
  description: The text, which ends with a line feed.
  type: str
"""

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(table):
    if not isinstance(table, dict):
        raise AnsibleFilterError(f"to_toml: a mapping is needed, not {type(table).__name__}")
    return "\n\n".join(block for block in _blocks(table, ()) if block) + "\n"


def _blocks(table, path, header=""):
    """The table with its plain values, then the tables in it: TOML has them in this order."""
    table = {key: value for key, value in table.items() if value is not None}
    inner = {key: value for key, value in table.items() if _has_tables(value)}
    plain = [f"{_key(key)} = {_value(value, (*path, key))}" for key, value in table.items() if key not in inner]
    # The header of a table that has only tables says nothing.
    if plain or not inner or header.startswith("[["):
        yield "\n".join([header, *plain] if header else plain)
    for key, value in inner.items():
        below = (*path, key)
        name = ".".join(map(_key, below))
        if isinstance(value, dict):
            yield from _blocks(value, below, f"[{name}]")
        else:
            for item in value:
                yield from _blocks(item, below, f"[[{name}]]")


def _has_tables(value):
    return isinstance(value, dict) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)
    )


def _value(value, path):
    # Before ansible-core 2.19 a value that is encrypted in its place is no `str`.
    if getattr(value, "__ENCRYPTED__", False):
        value = str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return f"[{', '.join(_value(item, path) for item in value)}]"
    if isinstance(value, dict):
        pairs = [f"{_key(key)} = {_value(item, (*path, key))}" for key, item in value.items() if item is not None]
        return f"{{ {', '.join(pairs)} }}"
    raise AnsibleFilterError(f"to_toml: {'.'.join(map(str, path))} is a {type(value).__name__}, which TOML does not have")


def _key(key):
    return str(key) if BARE_KEY.fullmatch(str(key)) else _string(str(key))


def _string(text):
    """JSON's escapes are TOML's too, but for the character DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


class FilterModule:
    def filters(self):
        return {"to_toml": to_toml}
