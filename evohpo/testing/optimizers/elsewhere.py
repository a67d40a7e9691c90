"""Run by a check in a process of its own: prints what an importable optimizer proposes, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import evohpo as eh
from evohpo.testing.problems import cube, proposals, search, sphere


def main(text: str) -> None:
    """Search with the optimizer that `text` describes: its name or path, whether it is a name, and its options."""
    from evohpo.testing.optimizers.dependence import eval_path

    path, named, options = json.loads(text)
    target: Any = path if named else eval_path(path)
    found = proposals(search(eh.use(target, **options) if options else target, sphere, cube(4)))
    sys.stdout.write(json.dumps([dict(params) for params in found]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
