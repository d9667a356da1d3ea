"""Writes a manual page for the program and one for each command, from what the program says about itself.

    manual_pages.py HELP.json FOLDER VERSION SECONDS

HELP.json is the output of `sdbatch --experimental-dump-help`; SECONDS is the date, counted from 1970.
"""

import json
import sys
import textwrap
import time
from pathlib import Path


def escaped(text: str) -> str:
    """Text as roff shows it: backslashes, hyphens that are to be copied, and lines that would be requests."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha").replace("`", "\\(ga")
    return "\n".join("\\&" + line if line[:1] in (".", "'") else line for line in text.split("\n"))


def paragraphs(text: str) -> list[str]:
    """Paragraphs of a help text; indented lines keep their form."""
    lines = []
    for block in text.strip("\n").split("\n\n"):
        if lines:
            lines.append(".PP")
        if any(line.startswith(" ") for line in block.split("\n")):
            lines += [".nf", escaped(textwrap.dedent(block)), ".fi"]
        else:
            lines.append(escaped(block))
    return lines


def spelled(name: dict) -> str:
    return ("-" if name["kind"] != "long" else "--") + name["name"]


def value(argument: dict) -> str:
    return argument.get("valueName") or "value"


def shown(arguments: list[dict]) -> list[dict]:
    return [argument for argument in arguments if argument.get("shouldDisplay", True)]


def synopsis(command: dict, title: str) -> list[str]:
    parts = [f"\\fB{escaped(title)}\\fR"]
    arguments = shown(command.get("arguments", []))
    if any(argument["kind"] != "positional" for argument in arguments):
        parts.append("[\\fIoptions\\fR]")
    for argument in arguments:
        if argument["kind"] == "positional":
            text = f"\\fI{escaped(value(argument))}\\fR" + ("..." if argument["isRepeating"] else "")
            parts.append(f"[{text}]" if argument["isOptional"] else text)
    if shown_subcommands(command):
        parts.append("\\fIcommand\\fR ...")
    return [" ".join(parts)]


def shown_subcommands(command: dict) -> list[dict]:
    return [one for one in command.get("subcommands", []) if one.get("shouldDisplay", True) and one["commandName"] != "help"]


def described(argument: dict) -> list[str]:
    if argument["kind"] == "positional":
        head = f"\\fI{escaped(value(argument))}\\fR"
    else:
        names = ", ".join(f"\\fB{escaped(spelled(name))}\\fR" for name in argument["names"])
        head = names + (f" \\fI{escaped(value(argument))}\\fR" if argument["kind"] == "option" else "")
    lines = [".TP", head]
    text = " ".join(filter(None, [argument.get("abstract"), argument.get("discussion")]))
    if argument.get("defaultValue"):
        text += f" The default is {argument['defaultValue']}."
    choices = argument.get("allValueStrings") or argument.get("allValues")
    if choices:
        text += f" One of: {', '.join(choices)}."
    return lines + [escaped(text.strip()) or "\\&"]


def page(command: dict, title: str, root: str, version: str, date: str, others: list[str]) -> str:
    name = title.replace(" ", "-")
    lines = [
        f'.TH {name.upper()} 1 "{date}" "{root} {version}" "User Commands"',
        ".SH NAME",
        f"{escaped(name)} \\- {escaped(command.get('abstract', '').rstrip('.'))}",
        ".SH SYNOPSIS",
        *synopsis(command, title),
    ]
    if command.get("discussion"):
        lines += [".SH DESCRIPTION", *paragraphs(command["discussion"])]
    sections: dict[str, list[dict]] = {}
    for argument in shown(command.get("arguments", [])):
        usual = "ARGUMENTS" if argument["kind"] == "positional" else "OPTIONS"
        sections.setdefault((argument.get("sectionTitle") or usual).upper(), []).append(argument)
    for heading, arguments in sections.items():
        lines.append(f".SH {escaped(heading)}")
        for argument in arguments:
            lines += described(argument)
    subcommands = shown_subcommands(command)
    if subcommands:
        lines.append(".SH COMMANDS")
        for one in subcommands:
            lines += [".TP", f"\\fB{escaped(root)}\\-{escaped(one['commandName'])}\\fR(1)", escaped(one.get("abstract", ""))]
    if others:
        lines += [".SH SEE ALSO", ",\n".join(f".BR {escaped(other)} (1)" for other in others).replace(",\n.BR", " ,\n.BR")]
    lines += [".SH FILES", f"/usr/share/doc/{root}/manual has the manual, a page for each subject."]
    return "\n".join(lines) + "\n"


def main() -> None:
    source, folder, version, seconds = sys.argv[1:]
    command = json.loads(Path(source).read_text())["command"]
    root = command["commandName"]
    date = time.strftime("%Y-%m-%d", time.gmtime(int(seconds)))
    Path(folder, f"{root}.1").write_text(page(command, root, root, version, date, []))
    for one in shown_subcommands(command):
        title = f"{root} {one['commandName']}"
        Path(folder, f"{root}-{one['commandName']}.1").write_text(page(one, title, root, version, date, [root]))


main()
