"""What importing evohpo costs and promises."""

from __future__ import annotations

import subprocess
import sys

import evohpo


def test_importing_evohpo_imports_nothing_heavy():
    code = "import evohpo, sys; print(sorted({m.split('.')[0] for m in sys.modules} & set(sys.argv[1:])))"
    heavy = [
        "numpy",
        "scipy",
        "pandas",
        "inspyred",
        "rich",
        "click",
        "sklearn",
        "moocore",
        "torch",
        "sagemaker",
        "ray",
        "dask",
    ]
    assert (
        subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


def test_every_public_name_is_there_and_documented():
    for name in evohpo.__all__:
        assert getattr(evohpo, name) is not None
        if not name.startswith("__"):
            assert getattr(evohpo, name).__doc__, name
