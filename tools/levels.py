#!/usr/bin/python3
"""Checks that every include in src/ goes only where the file `levels` allows."""
import pathlib
import re
import sys

top = pathlib.Path(__file__).resolve().parent.parent
allowed = {}
for line in (top / "levels").read_text().splitlines():
    line = line.split("#")[0].strip()
    if line:
        folder, _, rest = line.partition(":")
        allowed[folder] = rest.split() + [folder]

bad = 0
for path in sorted((top / "src").rglob("*.[ch]")):
    folder = path.relative_to(top / "src").parts[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not match:
            continue
        target = match.group(1)
        ok = target.split("/")[0] in allowed[folder] or target in allowed[folder]
        generated = "/" not in target
        if not ok and not generated:
            print(f"{path.relative_to(top)}:{number}: {folder} must not include {target}")
            bad += 1
print(f"levels: {'ok' if not bad else str(bad) + ' forbidden includes'}")
sys.exit(bad > 0)
