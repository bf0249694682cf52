"""Writes the dashboards: `python3 grafana/write_dashboards`. With `--check`, says which differ from what it would write."""

import json
import pathlib
import sys

sys.dont_write_bytecode = True

import locks
import overview
import reliability
import tasks

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "dashboards"


def main():
    differ = []
    for made in (overview.DASHBOARD, tasks.DASHBOARD, locks.DASHBOARD, reliability.DASHBOARD):
        path = FOLDER / (made["uid"].removeprefix("celeriac-") + ".json")
        text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            differ.append(str(path))
    if differ:
        sys.exit("not what grafana/write_dashboards writes: " + ", ".join(differ))


main()
