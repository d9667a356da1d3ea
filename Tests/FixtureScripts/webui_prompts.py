"""The webui's prompt language: schedules, AND and comments.

The grammar is written from its description and parsed by lark's Earley parser. A bracket can be syntax or, outside of all
others, a stray; the priorities say that it is syntax wherever it can be. Without them lark decides the same in 99 of 100
prompts and in the others by the order in which its sets happen to be walked.
"""

import re

import lark

GRAMMAR = r"""
start: (prompt | STRAY)*
prompt: (bracketed | scheduled | alternate | plain | BLANK)*
!bracketed.1: "(" prompt ")" | "(" prompt ":" prompt ")" | "[" prompt "]"
scheduled.1: "[" [prompt ":"] prompt ":" [BLANK] NUMBER [BLANK] "]"
alternate.1: "[" prompt ("|" [prompt])+ "]"
STRAY: /[][():]/
BLANK: /\s+/
plain: /([^\\\[\]():|]|\\.)+/
%import common.SIGNED_NUMBER -> NUMBER
"""
PARSER = lark.Lark(GRAMMAR, parser="earley", maybe_placeholders=True)


def when(number, steps, old, calls_before=None):
    """`calls_before`: the calls of the first pass, where this is the second."""
    value = float(number)
    if old:
        value = value * steps if value < 1 else value
    elif "." in number:
        value = (value - (calls_before is not None)) * steps
    else:
        value -= calls_before or 0
    return min(steps, int(value))


def schedule(text, steps, old, calls_before=None):
    if old and calls_before is not None:
        steps, calls_before = calls_before, None
    try:
        tree = PARSER.parse(text)
    except lark.exceptions.LarkError:
        return [[steps, text]]
    ends = {steps}
    for node in tree.iter_subtrees():
        if node.data == "scheduled":
            end = when(node.children[-2], steps, old, calls_before)
            if end >= 1:
                ends.add(end)
        elif node.data == "alternate":
            ends.update(range(1, steps + 1))

    def at(node, step):
        if node is None:
            return ""
        if isinstance(node, lark.Token):
            return str(node)
        if node.data == "scheduled":
            before, after, _, number, _ = node.children
            return at(before if step <= when(number, steps, old, calls_before) else after, step)
        if node.data == "alternate":
            return at(node.children[(step - 1) % len(node.children)], step)
        return "".join(at(child, step) for child in node.children)

    return [[end, at(tree, end)] for end in sorted(ends)]


def parts(text):
    found = []
    for part in re.split(r"\bAND\b", text):
        match = re.match(r"^((?:\s|.)*?)(?:\s*:\s*([-+]?(?:\d+\.?|\d*\.\d+)))?\s*$", part)
        found.append([match.group(1), float(match.group(2) or 1)])
    return found


def comments(text):
    text = re.sub(r"(^|\n)#[^\n]*(\n|$)", "\n", text)
    return re.sub(r"#[^\n]*(\n|$)", "\n", text)
