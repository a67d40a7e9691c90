"""Runs a study with a writer and is killed in the middle: `victim.py service folder trials delay`."""

import sys
import time
from pathlib import Path

import evohpo as eh
from tests.callbacks.test_writers import SPACE, curve, writer_of

if __name__ == "__main__":
    service, folder, trials, delay = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])

    def slow(params):
        for metrics in curve(params):
            time.sleep(delay)
            yield metrics
            print("reported", flush=True)

    eh.tune(
        slow, SPACE, maximize="acc@1", optimizer="random", trials=trials, seed=1, store=folder / "s.db", progress=False,
        pruner=eh.ASHA(max_steps=4, eta=2), callbacks=[writer_of(service, folder)],
    )  # fmt: skip
