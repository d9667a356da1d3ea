"""Writes how the webui's prompt language reads many prompts: schedules.json, parts.json and comments.json.

  python make_prompt_schedules.py
"""

import json
import random

from fixture_paths import fixtures
from webui_prompts import comments, parts, schedule

VECTORS = """a [b:3]|[a:b:0.5]|[a:b:1.0]|[a:b:0]|[a:b:-1]|[a:b:0.05]|[a:b:12]|[a::3]|[:b:3]|[[a:b:3]:c:6]|a [b:c:d:3] e
[a:b:5|\\[a:b:3\\]|(a:1.2) [b]|x [ a : b : 5 ] y|[a:b:2e0]|[a:b:5.]|[a:b:.5]|[a:b:+3]|[a:b:1e-1]|[[a:b:3]|[a:b:3]]
(a [b:c:3]|[a (b:c:3]|( [a:b:3 ) ]|[x [a:b:3]:c:6|[a:(b:1.2):3]|(a:[b:c:3]:d)|[x (a:b:c):y:3]|[a]b:c:3]|[:3]|[::3]|[3]
|[]|()|(:)|[:]|[a: 3]|[a:b: 3 :5]|a:b|a: [b:c:3]|[a:b:3]:5|\\[a:b:3]|[a:b:\\3]|[a\\:b:c:3]|a\\|[a:b:3]\\|[a:b:3] \\\n
[a:b:3] \\\\|[a\\]:b:3]|[a:\\(b:3]|[a:b:3:4:5]|((a:b:c) [d:e:4])|[[a]:[b]:4]|[[a:b:0.2]:[c:d:0.8]:0.5]|[a:b:3\u00a0]"""
PIPES = [
    "[a|b|c]", "[fe|]male", "[a||b]", "[|]", "[|a]", "a|b", "(a|b)", "[a|b:3]", "[a:b|c:3]", "[a|b", "[a|b] c|d",
    "[[a|b]", "[[a|b]:c:4]", "[a|[b:c:4]|(d:1.2)]", "[(a|b):c:3]", "[a|b]]", "[a\\|b|c]", "[a|b] (c", "((a) [b|c]",
    "[[a|b]|c]", "[a|b][c|d|e]", "[a|b:c]", "[(a|b)|c]", "x\n[a|b\n]", "[[[a|b]|[c|d]]|e]", "[ a | b ] \\",
]  # fmt: skip
PIECES = ["[", "[", "]", "]", "(", ")", ":", ":", "|", "a", "b c", " ", "3", "0.5", "7", "\\", "\\[", "\n", "-1", "1.5", "é"]


def nested(random, depth):
    """Prompts that are likely to parse."""
    inner = lambda: "".join(nested(random, depth - 1) for _ in range(random.randint(0, 2)))
    kind = random.randint(0, 7) if depth else 0
    number = random.choice(["3", "0.5", "7", "-1", " 2 ", "1.0", "12", "0.25", "1e0", "nine"])
    if kind <= 1:
        return random.choice(["a", "b ", " c", "\\(", "d", "\\|", "0"])
    if kind == 2:
        return "(" + inner() + ")"
    if kind == 3:
        return "(" + inner() + ":1.2)"
    if kind == 4:
        return "[" + inner() + "]"
    if kind == 5:
        return "[" + inner() + ":" + number + "]"
    if kind == 6:
        return "[" + inner() + ":" + inner() + ":" + number + "]"
    return "[" + "|".join(inner() for _ in range(random.randint(2, 3))) + "]"


random.seed(4)
prompts = [prompt for line in VECTORS.splitlines() for prompt in line.split("|") if prompt] + PIPES + [""]
for _ in range(220):
    prompts.append("".join(random.choice(PIECES) for _ in range(random.randint(2, 11))))
for index in range(220):
    text = "".join(nested(random, 3) for _ in range(random.randint(1, 3)))[:60]
    if index % 4 == 0 and text:
        place = random.randrange(len(text))
        text = text[:place] + random.choice("[]():|\\") + text[place + random.randint(0, 1) :]
    prompts.append(text)
rows = []
for index, prompt in enumerate(dict.fromkeys(prompts)):
    steps, old = (10, 10, 7)[index % 3], index % 2 == 1
    rows.append({"prompt": prompt, "steps": steps, "old": old, "entries": schedule(prompt, steps, old)})
    if index < 110:
        rows.append({"prompt": prompt, "steps": steps, "old": not old, "entries": schedule(prompt, steps, not old)})
out = fixtures("Prompts")
json.dump(rows, open(out + "/schedules.json", "w"), indent=None, separators=(",", ":"))
print(len(rows), "schedules,", sum(len(row["entries"]) > 1 for row in rows), "of more than one entry")

words = ["AND", " AND ", "a", " ", ":", "1", "2.", ".5", "-0.5", "+3", "\n", "(y:1.2)", "1.2.3", "aANDb", "\u00a0", "AND_", ":.", "٣"]
texts = ["a:1.2 AND b :-0.5", "x AND (y:1.2):0.7", "aANDb", "cat:2", "", " AND ", "a [b:0.5]", "and", "a and b", "x:1\n"]
texts += ["".join(random.choice(words) for _ in range(random.randint(1, 9))) for _ in range(150)]
json.dump([{"prompt": text, "parts": parts(text)} for text in texts], open(out + "/parts.json", "w"), separators=(",", ":"))

texts = ["a #b", "a\n#b\nc", "a #b\nc", "#", "", "#a", "#a\nb", "a\n#b\n#c\nd", "##\n\n#", "a#b#c\n#d\r\ne"]
texts += ["".join(random.choice("a#\n#b \r") for _ in range(random.randint(1, 12))) for _ in range(80)]
json.dump([[text, comments(text)] for text in texts], open(out + "/comments.json", "w"), separators=(",", ":"))
