"""What the filter `to_toml` writes, a parser of TOML reads as it was.

usage: to_toml.py FOLDER_OF_THE_FILTER
"""

import sys
import tomllib

sys.path.insert(0, sys.argv[1])
from to_toml import to_toml  # noqa: E402

TABLES = [
    {},
    {"aws": {"region": "eu-central-1", "limit_percent": 90}, "pass": {"deadline_seconds": 2.5}, "state": {"required": False}},
    # A plain value after a table, tables in tables, and an empty one.
    {"cluster": [{"target_group": [{"arn": "a"}, {"arn": "b"}], "scope": "batman", "discover": {"ec2_tag": "t"}}, {}], "z": 1},
    {"alerts": {"topic": [{"arn": "a"}]}, "empty": {}, "none": []},
    {"cluster": [{"addresses": {"pg1": "10.0.0.1", "pg.2": "10.0.0.2", "": "x"}}]},
    {"text": "\"quoted\" \\ 'single' \t\n\r \x00 \x1f \x7f é 🐘 #"},
    {"mixed": [1, "two", [3.0, True], {"four": [{"five": 5}]}]},
]
for table in TABLES:
    found = tomllib.loads(to_toml(table))
    assert found == table, f"{to_toml(table)}\n{found}\nis not\n{table}"
assert to_toml({"a": None, "b": {"c": None}}) == "[b]\n"
