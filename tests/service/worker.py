"""A worker process: `worker.py URL` works for the study served there with the checks' own functions."""

from __future__ import annotations

import inspect
import sys

from evohpo.service.client import connect
from evohpo.testing.workloads import WORKLOADS


def objective(params, trial):
    function = WORKLOADS[params["objective"]]
    return function(params, trial) if len(inspect.signature(function).parameters) > 1 else function(params)


if __name__ == "__main__":
    connect(sys.argv[1], patience=20).run(objective)
