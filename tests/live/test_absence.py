"""Without any one of the libraries everything else works, and `import evohpo` imports none of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from evohpo import plugins

WITHOUT = """
import sys
sys.modules[{root!r}] = None                      # as if it were not installed
import evohpo as eh
from evohpo.optimizers import available_adapters, available_optimizers

broken = {{name: one.error for name, one in (available_optimizers() | available_adapters()).items() if one.error}}
assert set(broken) <= {{{root!r}}}, broken
study = eh.tune(lambda p: p["x"] ** 2, {{"x": eh.Continuous(-1, 1)}}, minimize="loss", optimizer="de", trials=30, seed=1,
                progress=False)
assert len(study.trials) == 30
"""


@pytest.mark.parametrize("root", sorted(set(plugins.EXTRAS) - {"scipy"}))  # scipy is a part of evohpo's own base
def test_without_a_library_everything_else_works(root):
    done = subprocess.run([sys.executable, "-c", WITHOUT.format(root=root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_evohpo_imports_no_library_and_no_plugin():
    code = "import sys, evohpo; print(*(name.partition('.')[0] for name in sys.modules))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & (set(plugins.EXTRAS) | {f"evohpo_{root}" for root in plugins.EXTRAS} | {"inspyred", "torch"})
