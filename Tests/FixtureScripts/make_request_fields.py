"""Writes Requests/fields.json: how pydantic 1.10 converts JSON values in fields of each kind, as in the webui's API.

  python3 -m venv /tmp/pydantic && /tmp/pydantic/bin/pip install 'pydantic==1.10.27'
  /tmp/pydantic/bin/python make_request_fields.py

A row is a kind, a value as JSON, and the converted value as JSON; `null` if it is rejected.
"""

import json
import pathlib
from typing import Any, Dict, List, Optional

from pydantic import ValidationError, create_model

from fixture_paths import fixtures

kinds = {
    "integer": Optional[int], "number": Optional[float], "flag": Optional[bool], "text": Optional[str],
    "texts": Optional[List[str]], "list": Optional[list], "object": Optional[Dict[str, Any]],
}  # fmt: skip
values = [
    # Written as in a body; the text matters for numbers.
    "0", "1", "2", "-1", "64", "-0", "0.0", "1.0", "2.0", "2.5", "2.7", "-2.7", "0.9999999", "-0.5", "1e3", "1E3", "1.5e2", "1e-3",
    "1e300", "-1e300", "1e400", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
    "123456789012345678901234567890", "9007199254740993", "1e18", "1e19", "7.0", "0.1", "1e16", "1e-05", "true", "false",
    '"64"', '" 64 "', '"\\t7\\n"', '"+5"', '"-5"', '"--5"', '"+ 5"', '"1_000"', '"1__0"', '"_1"', '"1_"', '"007"', '"-0"', '"000"',
    '"2.7"', '"2.0"', '"1e3"', '"1E-3"', '".5"', '"5."', '"."', '"1_0.5_0"', '"1_.5"', '"1e"', '"e3"', '"0x10"', '"0b1"', '"inf"',
    '"-Infinity"', '"nan"', '"NaN"', '"+inf"', '"infinit"', '"1,5"', '"7.5"', '"\\u0663"', '"\\u0663.\\u0665"', '"\\u00b2"',
    '"\\u00a012\\u3000"', '"12a"', '""', '" "', '"a cat"', '"True"', '"true"', '"FALSE"', '"on"', '"ON"', '"off"', '"Off"', '"yes"',
    '"no"', '"y"', '"n"', '"t"', '"f"', '"1"', '"0"', '"1.0"', '"2"', '" on"', '"enabled"', '"null"', '"None"',
    "[]", "{}", '["a"]', '["a", "b"]', '["a", 1, 2.5, true]', '["a", null]', '["a", ["b"]]', "[1]", '[["a", 1]]',
    '[["a", 1], ["b", 2], ["a", 3]]', '[["a", 1, 2]]', '[["a"]]', "[[1, 2]]", '{"a": 1}', '{"a": {"b": [1]}}', "[0]",
    '["ab", "cd"]', '["ab", ["c", 1]]', '["abc"]', '[{"a": 1, "b": 2}]',
]  # fmt: skip


def read(kind, text):
    model = create_model("Model", field=(kinds[kind], None))
    try:
        return {"value": model(field=json.loads(text)).field}
    except ValidationError:
        return None


rows = [{"kind": kind, "text": text, "result": read(kind, text)} for kind in kinds for text in values]
for row in rows:
    # JSON has no NaN and no infinity.
    if row["result"] and isinstance(row["result"]["value"], float) and not -1e999 < row["result"]["value"] < 1e999:
        row["result"]["value"] = str(row["result"]["value"])
    elif row["result"] and isinstance(row["result"]["value"], int) and not -(2**63) <= row["result"]["value"] < 2**63:
        row["result"]["value"] = str(row["result"]["value"])
    elif row["result"] and isinstance(row["result"]["value"], float):
        row["result"]["value"] = repr(row["result"]["value"])
lines = ",\n".join(json.dumps(row) for row in rows)
(pathlib.Path(fixtures("Requests")) / "fields.json").write_text("[\n" + lines + "\n]\n")
