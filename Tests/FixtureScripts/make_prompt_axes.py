"""Writes prompt-axes.json: comma-separated values, styles, and the axes that change prompts, as Python has them.

    python make_prompt_axes.py        (Python 3.10 or newer)

The rules are those of the webui's styles, X/Y/Z plot and prompt matrix, written down here on Python's own csv, str and
itertools, on which they are defined.
"""

import csv
import io
import itertools
import json
import random
from pathlib import Path

from fixture_paths import fixtures


def rows(text):
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    return [row for row in reader if row]


def styled(prompt, styles):
    for style in styles:
        if "{prompt}" in style:
            prompt = style.replace("{prompt}", prompt)
        else:
            prompt = ", ".join(part for part in (prompt.strip(), style.strip()) if part)
    return prompt


def ordered(prompt, texts):
    """One prompt for each permutation; None if a text is missing."""
    if any(text not in prompt for text in texts):
        return None
    prompts = []
    for order in itertools.permutations(texts):
        rest, parts = prompt, []
        for text in sorted(order, key=prompt.find):
            place = rest.find(text)
            if place < 0:
                return None
            parts.append(rest[:place])
            rest = rest[place + len(text):]
        prompts.append("".join(part + text for part, text in zip(parts, order)) + rest)
    return prompts


def matrix(text, at_start, delimiter):
    fixed, *others = text.split("|")
    prompts = []
    for number in range(2 ** len(others)):
        chosen = [part.strip().strip(",") for bit, part in enumerate(others) if number >> bit & 1]
        prompts.append(delimiter.join(chosen + [fixed] if at_start else [fixed] + chosen))
    return prompts


def main(folder):
    random.seed(20)

    def text(alphabet, most):
        return "".join(random.choice(alphabet) for _ in range(random.randint(0, most)))

    csv_cases = ['a, b,c', 'a,,b,', '"a, b", "c ""d"""', 'a "b", "c" d', '"a\nb",c\r\n\r\nd,e\rf', " \n", '""', '"x"y,z']
    while len(csv_cases) < 160:
        case = text('ab ,,"\n\r é', 12)
        # A quote that is never closed is an error here: one more quote at the end would become part of the last field.
        if rows(case + '"') and rows(case + '"')[-1] == (rows(case) or [None])[-1]:
            continue
        csv_cases.append(case)
    style_cases = []
    for _ in range(60):
        styles = [random.choice(["", " oil ", "{prompt}, ink", "a {prompt} b {prompt}", "x,", "\u00a0é "]) for _ in range(3)]
        prompt = random.choice(["", " fish", "{prompt}", "a, b ", "\n"])
        style_cases.append({"prompt": prompt, "styles": styles, "result": styled(prompt, styles)})
    replace_cases = []
    for _ in range(60):
        prompt, find, by = text("abé ", 12), text("abé", 2) or "a", text("ab", 3)
        replace_cases.append([prompt, find, by, prompt.replace(find, by) if find in prompt else None])
    order_cases = []
    for _ in range(120):
        words = random.sample(["cat", "dog", "red fish", "fish", "é", "a"], random.randint(1, 4))
        prompt = ", ".join(random.sample(words, len(words)) + random.choices(["cat", "x", "", "é"], k=2))
        order_cases.append({"prompt": prompt, "texts": words, "prompts": ordered(prompt, words)})
    matrix_cases = []
    for _ in range(40):
        case = "a " + "".join(random.choice(["|", "b", " ,c,", ", "]) for _ in range(6)) + "|d "
        at_start, delimiter = random.random() < 0.5, random.choice([", ", " "])
        matrix_cases.append(
            {"text": case, "at_start": at_start, "delimiter": delimiter, "prompts": matrix(case, at_start, delimiter)}
        )
    fixture = {
        "csv": [{"text": case, "rows": rows(case)} for case in csv_cases],
        "styles": style_cases, "replacements": replace_cases, "orders": order_cases, "matrices": matrix_cases,
    }
    (folder / "prompt-axes.json").write_text(json.dumps(fixture, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(fixtures("Planning")))
