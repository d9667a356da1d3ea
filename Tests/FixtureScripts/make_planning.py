"""Writes the fixtures of PlanningTests: YAML trees as PyYAML reads them, and rows of decimals as Python counts them.

    python make_planning.py        (PyYAML 6.0.3, Python 3.10 or newer)
"""

import json
import random
from decimal import Decimal
from pathlib import Path

import yaml
from fixture_paths import fixtures

DOCUMENTS = {
    "design": """\
model: demo                     # "demo" = the model inside the package
vae:                            # optional separate VAE file
prompt: a red fish and a blue star on a white background
negative_prompt: ""
steps: 20
sampler_name: DPM++ SDE Karras
grid:
  seed: 1, 2, ..., 8            # YAML lists
  cfg_scale: [5, 7, 9.5]
  style:
    - {title: plain}
    - {title: oil, prompt_append: ", oil painting", cfg_scale: 9}
zip:
  - {steps: [10, 20, 40], sampler_name: [Heun, Euler, Euler a]}
exclude: [{cfg_scale: 9.5, steps: 10}]
webhook: http://127.0.0.1:8080/done
""",
    "scalar styles": """\
plain: a || b, c
single: 'it''s'
double: "tab\\tand \\u00e9 and \\U0001F41F"
literal: |
  first line
    indented
  last line
folded: >-
  one
  two

  three
split: one
  two
  three
empty:
""",
    "wide characters": """\
# é 日本 🐟
プロンプト: 魚 # comment
"🐟🐟": [🐟, x, {é: 日本}]
""",
    "anchors": """\
base: &base {steps: 10, eta: 0.5}
list: &list [1, 2, &three 3]
again: *base
lists: [*list, *three]
block: &block
  a: *three
  b:
    - *list
copy: *block
""",
    "flow over lines": """\
grid: {
  seed: [1,
    2,   3],
  "style": [ {title: a,
              value: 2 },
    { title: b } ]
}
""",
    "windows line ends": "steps: 20\r\ngrid:\r\n  seed: [1, 2]\r\n",
    "json": '{"prompt": "a\\nb", "grid": {"seed": [1, -1], "width": [512]}, "vae": null}',
    "nested blocks": """\
include:
- cfg_scale: 12
  seed: 99
-
  - deep
  - - deeper
    - - deepest
    -
? complex
: value
""",
    "explicit document": "%YAML 1.1\n---\nsteps: 3\n...\n",
}


def tree(node):
    place = {"line": node.start_mark.line + 1, "column": node.start_mark.column + 1}
    if isinstance(node, yaml.ScalarNode):
        return place | {"text": node.value, "quoted": node.style is not None}
    if isinstance(node, yaml.SequenceNode):
        return place | {"items": [tree(item) for item in node.value]}
    return place | {"entries": [[tree(key), tree(value)] for key, value in node.value]}


def plain(value):
    """Without an exponent and without zeros at the end."""
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def row(random_source):
    places = random_source.randrange(0, 4)
    unit = Decimal(1).scaleb(-places)
    first = random_source.randrange(-300, 300) * unit
    step = random_source.choice([-1, 1]) * random_source.randrange(1, 60) * unit
    count = random_source.randrange(2, 40)
    values = [first + step * i for i in range(count)]
    texts = [random_source.choice([str, plain])(value) for value in (values[0], values[1])]
    if count > 2 and random_source.random() < 0.7:
        return {"first": texts[0], "second": texts[1], "last": plain(values[-1]), "values": [plain(v) for v in values]}
    last = values[-1] + step * Decimal("0.5")
    return {
        "first": texts[0], "second": texts[1], "last": plain(last),
        "nearest": [plain(values[-1]), plain(values[-1] + step)],
    }


def main():
    folder = Path(fixtures("Planning"))
    trees = [
        {"name": name, "text": text, "root": tree(yaml.compose(text, Loader=yaml.SafeLoader))}
        for name, text in DOCUMENTS.items()
    ]
    (folder / "yaml-trees.json").write_text(json.dumps(trees, indent=1, ensure_ascii=False) + "\n")
    random_source = random.Random(7)
    rows = [row(random_source) for _ in range(120)]
    (folder / "rows.json").write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


main()
