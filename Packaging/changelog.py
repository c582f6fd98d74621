#!/usr/bin/env python3
"""Writes CHANGELOG.md as Debian's changelog: Packaging/changelog.py CHANGELOG.md VERSION MAINTAINER SECONDS

What is not released yet is VERSION, which has been since SECONDS; after the release of VERSION, what came upon it.
"""

import re
import sys
import textwrap
import time
from email.utils import formatdate


def entry(version, words, maintainer, seconds):
    """One version; `words` are the lines of its section."""
    lines, items = [], []
    for line in words:
        if match := re.match(r"### (.*)", line):
            items.append((None, match[1]))
        elif match := re.match(r"- (.*)", line):
            items.append(("*", match[1]))
        elif line.strip() and items:
            items[-1] = (items[-1][0], f"{items[-1][1]} {line.strip()}")
    for mark, text in items:
        if mark:
            lines.append(textwrap.fill(text, 78, initial_indent="  * ", subsequent_indent="    "))
        else:
            lines += [""] * bool(lines) + [f"  [ {text} ]"]
    # In UTC: two runs write the same wherever they are.
    date = formatdate(seconds, localtime=False)
    body = "\n".join(lines) or "  * No changes that a user sees."
    return f"weft ({version}) unstable; urgency=medium\n\n{body}\n\n -- {maintainer}  {date}\n"


def main(file, current, maintainer, seconds):
    text = open(file, encoding="utf-8").read()
    sections = re.split(r"^## ", text, flags=re.M)[1:]
    versions = [re.match(r"\[?(\d+\.\d+\.\d+\S*?)\]?(?: - (\d{4}-\d\d-\d\d))?\s*$", s.split("\n")[0]) for s in sections]
    is_released = any(match and match[1] == current for match in versions)
    out = []
    for section, match in zip(sections, versions):
        words = section.split("\n")[1:]
        if match:
            day = time.strptime(match[2], "%Y-%m-%d") if match[2] else time.gmtime(int(seconds))
            at = int(time.mktime(day) - time.timezone)
            out.append(entry(match[1], words, maintainer, at))
        elif not is_released:
            out.append(entry(current, words, maintainer, int(seconds)))
        elif any(words):
            day = time.strftime("%Y%m%d", time.gmtime(int(seconds)))
            out.append(entry(f"{current}+{day}", words, maintainer, int(seconds)))
    sys.stdout.write("\n".join(out))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
