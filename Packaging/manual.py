#!/usr/bin/env python3
"""Writes weft's man pages: those of the commands from what the command says of itself, the others from Docs/.

    Packaging/manual.py WEFT FOLDER

The pages carry the date of SOURCE_DATE_EPOCH, or that of today.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "Docs"
# A page of Docs: its man page, section, and what it is.
PAGES = {
    "documents.md": ("weft.yaml", 5, "documents that describe the overlay networks of a host"),
    "fabric.md": ("weft-fabric", 5, "documents that describe the overlay networks of many hosts"),
    "policies.md": ("weft-policies", 5, "rules that documents and plans of weft must satisfy"),
    "safety.md": ("weft-safety", 7, "what weft does when something fails"),
    "troubleshooting.md": ("weft-troubleshooting", 7, "what to do when traffic does not arrive"),
    "operations.md": ("weft-operations", 7, "installing weft, its units, and what to watch"),
    "living-beside.md": ("weft-living-beside", 7, "weft beside systemd-networkd, NetworkManager and udev"),
    "moving-over.md": ("weft-moving-over", 7, "from scripts, ifupdown2 and netplan to weft"),
    "frr.md": ("weft-frr", 7, "weft beside FRR"),
    "etcd.md": ("weft-etcd", 7, "etcd as the controller of a fabric, whose hosts follow it"),
    "agent.md": ("weft-agent", 7, "weft as a service that keeps the host as documents say"),
}
# Is put at the end of weft.yaml(5).
KEYS = "reference.md"

STATUSES = [
    (0, "Nothing to do, or done and verified."),
    (1, "Something failed; what was done is undone, or the report says what is left."),
    (2, "\\fBweft diff\\fR found changes. Nothing else gives 2."),
    (64, "Wrong usage."),
    (65, "A document or a policy is not valid."),
    (77, "Not permitted."),
]
FILES = [
    ("/etc/weft", "The documents that the units apply."),
    ("/etc/default/weft", "Options for the units."),
    ("/run/weft", "Locks, journals and history, until the next boot."),
    ("/usr/share/weft/policies", "Policies that \\fB\\-\\-policy\\fR finds by their names."),
    ("/usr/share/doc/weft/examples", "Documents to begin with; a role for Ansible; a cloud-config."),
]
ENVIRONMENT = [
    ("WEFT_RUN_DIR", "Another folder than /run/weft, for users who have CAP_NET_ADMIN but cannot write there."),
    ("NO_COLOR", "Without colours, if it is not empty."),
]


def plain(text):
    """Text as roff takes it."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("^", "\\(ha")
    text = text.replace("~", "\\(ti").replace("→", "\\(->").replace('"', "\\(dq").replace("'", "\\(aq")
    return text


def reference(target):
    """What a link leads to, for somebody who has man pages only."""
    name = target.split("#")[0].rsplit("/", 1)[-1]
    if name == KEYS:
        name = "documents.md"
    if name in PAGES and (DOCS / name).exists():
        page, section, _ = PAGES[name]
        return f"\\fB{plain(page)}\\fR({section})"
    return None


def inline(text):
    """Markdown within a line: code, strong words and links."""
    out = []
    for part in re.split(r"(`[^`]+`|\*\*.+?\*\*|\[[^\]]+\]\([^)]+\))", text):
        if part.startswith("`") and len(part) > 1:
            out.append(f"\\fB{plain(part[1:-1])}\\fR")
        elif part.startswith("**"):
            out.append(f"\\fI{plain(part[2:-2])}\\fR")
        elif match := re.fullmatch(r"\[([^\]]+)\]\(([^)]+)\)", part):
            page = reference(match[2])
            words = match[1]
            if page:
                out.append(page if words.endswith(".md") else f"{inline(words)} ({page})")
            elif "://" in match[2]:
                out.append(f"{inline(words)} <{plain(match[2])}>")
            else:
                out.append(inline(words))
        else:
            out.append(plain(part))
    text = "".join(out)
    return "\\&" + text if text.startswith((".", "'")) else text


def heading(level, text, is_top=False):
    text = re.sub(r"[`*]", "", text)
    if level <= 2 and not is_top:
        return f'.SH "{plain(text.upper())}"'
    return f'.SS "{plain(text)}"'


def table(rows):
    """A table as a list: the first cell is what it is about."""
    header, body = rows[0], rows[1:]
    lines = []
    is_keys = header[:5] == ["key", "value", "default", "change", "iproute2"]
    for row in body:
        if is_keys:
            key, value, default, change, iproute2, since, words = row
            kind = f"{inline(value)}; "
            kind += "required" if default == "required" else f"default {inline(default)}"
            lines += [".TP", f"{inline(key)} ({kind})", inline(words)]
            facts = [f"Change: {inline(change)}."]
            if iproute2 not in ("", "`none`", "none"):
                facts.append(f"In iproute2 {inline(iproute2)}.")
            if since:
                facts.append(f"Since Linux {inline(since)}.")
            lines.append(" ".join(facts))
            continue
        lines += [".TP", inline(row[0]) or "\\&"]
        cells = [(title, cell) for title, cell in zip(header[1:], row[1:]) if cell]
        if len(header) == 2 or all(not title for title, _ in cells):
            lines.append("; ".join(inline(cell) for _, cell in cells) or "\\&")
            continue
        for index, (title, cell) in enumerate(cells):
            lines += [".br"] if index else []
            lines.append(f"{inline(title)}: {inline(cell)}" if title else inline(cell))
        if not cells:
            lines.append("\\&")
    return lines


def cells(line):
    """The cells of a row, of which the first and the last may be empty."""
    parts = re.split(r"(?<!\\)\|", line.strip()[1:-1])
    return [part.strip().replace("\\|", "|") for part in parts]


def markdown(text, is_part=False):
    """The body of a page of Docs. A part's headings are those of a subsection."""
    lines = text.split("\n")
    out, index = [], 0
    while index < len(lines):
        line = lines[index]
        if not line.strip():
            index += 1
            continue
        if match := re.match(r"(#+) (.*)", line):
            out.append(heading(len(match[1]), match[2], is_top=is_part))
            index += 1
        elif line.startswith("|"):
            rows = []
            while index < len(lines) and lines[index].startswith("|"):
                if not re.fullmatch(r"[|\-: ]+", lines[index]) or not rows:
                    rows.append(cells(lines[index]))
                index += 1
            out += table(rows)
        elif line.startswith("    "):
            block = []
            while index < len(lines) and (lines[index].startswith("    ") or not lines[index].strip()):
                block.append(lines[index][4:].rstrip())
                index += 1
            while block and not block[-1]:
                block.pop()
            out += [".PP", ".in +4n", ".EX"]
            for code in block:
                code = plain(code)
                out.append("\\&" + code if code.startswith((".", "'")) else code)
            out += [".EE", ".in"]
        elif match := re.match(r"(\*|\d+\.) +(.*)", line):
            mark = "\\(bu" if match[1] == "*" else match[1]
            item = [match[2]]
            index += 1
            while index < len(lines) and re.match(r" {2,3}\S", lines[index]):
                item.append(lines[index].strip())
                index += 1
            out += [f".IP {mark} {2 if match[1] == '*' else 3}", inline(" ".join(item))]
        else:
            words = []
            while index < len(lines) and lines[index].strip() and not re.match(
                r"(\||#+ |    |\* |\d+\. )", lines[index]
            ):
                words.append(lines[index].strip())
                index += 1
            out += [".PP", inline(" ".join(words))]
    # A heading is a paragraph already.
    return [
        line
        for at, line in enumerate(out)
        if not (line == ".PP" and at and out[at - 1].startswith((".SH", ".SS")))
    ]


class Manual:
    def __init__(self, weft, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.weft = weft
        self.version = self.run("--version").strip()
        self.date = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
        self.command = json.loads(self.run("--experimental-dump-help"))["command"]
        self.docs = {name: page for name, page in PAGES.items() if (DOCS / name).exists()}

    def run(self, *arguments):
        return subprocess.run([self.weft, *arguments], check=True, capture_output=True, text=True).stdout

    def write(self, name, section, abstract, lines, also=()):
        text = [
            '.\\" Written by Packaging/manual.py.',
            f'.TH "{plain(name.upper())}" "{section}" "{self.date}" "weft {self.version}" "weft"',
            ".nh",
            ".SH NAME",
            f"{plain(name)} \\- {plain(abstract)}",
            *lines,
        ]
        if also:
            text += ['.SH "SEE ALSO"']
            also = [page for page in also if page != (name, section)]
            text += [
                f".BR {plain(page)} ({where}){',' if at + 1 < len(also) else ''}"
                for at, (page, where) in enumerate(also)
            ]
        (self.folder / f"{name}.{section}").write_text("\n".join(text) + "\n", encoding="utf-8")

    def discussion(self, text):
        """Paragraphs of a command's help: lines with two blanks before them are for reading as they are."""
        lines = []
        for paragraph in re.split(r"\n\n+", text.strip("\n")):
            if paragraph.startswith("  "):
                lines += [".PP", ".in +4n", ".EX", *(plain(line[2:]) for line in paragraph.split("\n")), ".EE", ".in"]
            elif paragraph.startswith("Exit status:"):
                continue
            else:
                lines += [".PP", self.words(" ".join(paragraph.split("\n")))]
        return lines

    def words(self, text):
        text = inline(text)
        return re.sub(r"(?<![\w\\-])((?:\\-){2}[a-z]+(?:(?:\\-)[a-z]+)*)", r"\\fB\1\\fR", text)

    @staticmethod
    def shown(command):
        return [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]

    def synopsis(self, path, command):
        words = [f"\\fB{plain(' '.join(path))}\\fR"]
        if command.get("subcommands"):
            words.append("\\fIsubcommand\\fR")
        for argument in self.shown(command):
            names = [n["name"] for n in argument.get("names", [])]
            if "version" in names or "help" in names:
                continue
            value = f"\\fI{plain(argument.get('valueName', ''))}\\fR"
            dots = "..." if argument.get("isRepeating") else ""
            if argument["kind"] == "positional":
                text = value + dots
            elif argument["kind"] == "flag":
                text = f"\\fB{self.option(argument)}\\fR"
            else:
                text = f"\\fB{self.option(argument)}\\fR\\ {value}"
            is_needed = not argument.get("isOptional")
            words.append(text if is_needed else f"[{text}]" + (dots if argument["kind"] != "positional" else ""))
        return [".SH SYNOPSIS", ".ad l", ".HP", "\n".join(words), ".ad"]

    @staticmethod
    def option(argument):
        name = argument["preferredName"]
        return plain(("--" if name["kind"] == "long" else "-") + name["name"])

    def arguments(self, command):
        lines = []
        for title, kinds in (("ARGUMENTS", ["positional"]), ("OPTIONS", ["option", "flag"])):
            part = [a for a in self.shown(command) if a["kind"] in kinds]
            if not part:
                continue
            lines.append(f".SH {title}")
            for argument in part:
                value = f"\\fI{plain(argument.get('valueName', ''))}\\fR"
                names = sorted(argument.get("names", []), key=lambda n: n["kind"] == "long")
                tag = ", ".join(
                    f"\\fB{plain(('--' if n['kind'] == 'long' else '-') + n['name'])}\\fR" for n in names
                )
                if argument["kind"] == "positional":
                    tag = value
                elif argument["kind"] == "option":
                    tag += f" {value}"
                text = self.words(argument.get("abstract", "")) or "\\&"
                if (default := argument.get("defaultValue")) is not None and "default" not in text:
                    text += f" (default: \\fB{plain(default)}\\fR)"
                lines += [".TP", tag, text]
                if argument.get("discussion"):
                    lines.append(self.words(argument["discussion"]))
        return lines

    def page(self, path, command):
        """The page of a command, and those of the commands in it."""
        name = "-".join(path)
        children = [c for c in command.get("subcommands", []) if c["commandName"] != "help" and c.get("shouldDisplay", True)]
        lines = []
        if children and len(path) > 1:
            lines += [".SH SYNOPSIS", ".nf"]
            lines += [f"\\fB{plain(' '.join(path + [c['commandName']]))}\\fR ..." for c in children] + [".fi"]
        elif children:
            lines += [".SH SYNOPSIS", f"\\fB{plain(name)}\\fR \\fIcommand\\fR [\\fIoption\\fR ...]"]
            lines += [".br", f"\\fB{plain(name)} \\-\\-version\\fR"]
        else:
            lines += self.synopsis(path, command)
        lines += [".SH DESCRIPTION", self.words(command.get("abstract", ""))]
        lines += self.discussion(command.get("discussion", ""))
        if children:
            lines.append(".SH COMMANDS")
            for child in children:
                page = plain("-".join(path + [child["commandName"]]))
                lines += [".TP", f".BR {page} (1)", self.words(child["abstract"])]
        lines += self.arguments(command) if not children else []
        lines.append('.SH "EXIT STATUS"')
        for status, words in STATUSES:
            if status == 2 and path[-1] != "diff" and len(path) > 1:
                continue
            lines += [".TP", f".B {status}", words]
        if len(path) == 1:
            lines += [".SH ENVIRONMENT"]
            for variable, words in ENVIRONMENT:
                lines += [".TP", f".B {variable}", words]
            lines += [".SH FILES"]
            for file, words in FILES:
                lines += [".TP", f".I {plain(file)}", words]
            lines += [".SH UNITS", ".TP", ".B weft.service", "Applies the documents of /etc/weft once, at boot."]
            lines += [".TP", ".B weft\\-agent.service", "Keeps the host as they say, as long as it runs."]
            lines += [".PP", "Neither is enabled by itself: see \\fBweft\\-operations\\fR(7)."]
        also = [("weft", 1), ("weft.yaml", 5)]
        if len(path) == 1:
            also = [(f"weft-{c['commandName']}", 1) for c in children]
            also += sorted(((page, where) for page, where, _ in self.docs.values()), key=lambda p: (p[1], p[0]))
        elif len(path) > 2:
            also.insert(1, ("-".join(path[:-1]), 1))
        else:
            also += [(page, where) for page, where, _ in self.docs.values() if where == 7 and page in (
                "weft-safety", "weft-operations")]
        self.write(name, 1, self.name(command), lines, also)
        for child in children:
            self.page(path + [child["commandName"]], child)

    @staticmethod
    def name(command):
        """`Show what would change.` as a NAME section has it."""
        text = command["abstract"].rstrip(".")
        return text[0].lower() + text[1:]

    def documents(self):
        for file, (name, section, abstract) in self.docs.items():
            text = (DOCS / file).read_text(encoding="utf-8")
            # The title is the page's name.
            body = re.sub(r"\A# .*\n", "", text)
            lines = [".SH DESCRIPTION", *markdown(body)]
            if lines[1:2] == [".PP"]:
                del lines[1]
            if file == "documents.md":
                # What comes before the first table says how the file is made, and then how to read it.
                preface, tables = (DOCS / KEYS).read_text(encoding="utf-8").split("\n## ", 1)
                rule = preface[preface.index("\nA key") :]
                lines += [".SH KEYS", inline(" ".join(rule.split()))]
                lines += markdown("## " + tables, is_part=True)
            also = [("weft", 1)] + [(page, where) for page, where, _ in self.docs.values()]
            self.write(name, section, abstract, lines, also)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    manual = Manual(sys.argv[1], sys.argv[2])
    manual.page(["weft"], manual.command)
    manual.documents()
