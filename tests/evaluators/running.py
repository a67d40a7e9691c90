"""What the evaluators' tests share: run jobs to their ends, wait for conditions, both with a deadline."""

import time

import psutil

from evohpo.evaluators import Failed, Finished, Job, Paused, Reported

DEADLINE = 30.0


def run(evaluator, *jobs, verdict=None):
    """Run jobs to their ends and return all events by number; `verdict` is called at each report and may stop it."""
    seen = {}
    for job in jobs:
        seen[job.number] = []
        evaluator.submit(job)
    until = time.monotonic() + DEADLINE
    open_ = set(seen)
    while open_:
        assert time.monotonic() < until, f"no end of {open_}"
        for event in evaluator.wait(1.0):
            assert event.number in open_, f"{event} after its end"
            seen[event.number].append(event)
            if isinstance(event, Reported) and verdict is not None:
                verdict(event)
            if isinstance(event, Finished | Failed | Paused):
                open_.remove(event.number)
    return seen


def end_of(evaluator, objective, params=None, number=0, **options):
    """Run one job and return its last event."""
    return run(evaluator, Job(number, params or {}, objective, **options))[number][-1]


def eventually(condition, what):
    """Wait until `condition()` holds."""
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def gone(pid):
    """Return whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
