"""What becomes of a trial whose training job has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evohpo.evaluators.metrics import Reader
from evohpo.sagemaker.individual import AGAIN
from evohpo.sagemaker.logs import Log, tail

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evohpo.evaluators.calling import End
    from evohpo.evaluators.protocol import Failed
    from evohpo.sagemaker.individual import Individual


def failure(individual: Individual, described: Mapping[str, Any], retries: int, logs: Any) -> Failed | None:
    """Return the failure that a failed or stopped job is; None if the trial is to be started again.

    Args:
        individual: the trial.
        described: what the service says of the job.
        retries: how often a job is started again that found no instance or met a fault of the service.
        logs: a client of CloudWatch Logs.
    """
    job, why = f"training job {individual.known_as}", described.get("SecondaryStatus", "")
    if described["TrainingJobStatus"] == "Failed":
        reason = described.get("FailureReason", f"{job} failed without a reason")
        if not reason.startswith(AGAIN):
            return individual.failed("raised", reason, tail(logs, individual.known_as))
        if individual.refusals < retries:
            return None
        return individual.failed("lost", f"{reason} (tried {individual.refusals + 1} times)")
    if why == "MaxRuntimeExceeded":
        return individual.failed("timeout", f"{job} took longer than its MaxRuntimeInSeconds")
    if why == "MaxWaitTimeExceeded":
        return individual.failed("lost", f"{job} got no spot instance within its MaxWaitTimeInSeconds")
    if individual.own:
        return individual.failed("stopped", f"{job} was stopped by somebody else")
    return None  # by an earlier run


def unknown(individual: Individual) -> Failed:
    """Return the failure of a trial whose job the service never heard of."""
    how = "the function given must start it under the name that it gets, or return its name"
    return individual.failed("lost", f"there is no training job {individual.known_as}: {how}")


def result(
    individual: Individual, patterns: Mapping[str, str | None], how: Mapping[str, str], late: bool, logs: Any
) -> End | None:
    """Return the end of a trial whose job completed; None while its log may have to be waited for.

    Args:
        individual: the trial.
        patterns: by name of a metric, its pattern, or None.
        how: by name, how many values become one.
        late: the log is not waited for any longer.
        logs: a client of CloudWatch Logs.
    """
    values = individual.values(patterns, how, late)
    if values is None and individual.reader is None:  # the service did not keep it: it is in the log, or nowhere
        individual.reader, individual.log = Reader(patterns), Log(logs, individual.known_as)
    if values is None:
        return None
    missing = [name for name in patterns if name not in values]
    if not missing:
        return individual.finished(values)
    assert individual.reader is not None
    lines, pattern = individual.reader.lines, patterns[missing[0]]
    looked = f"its pattern {pattern!r} matches none of {lines} lines" if pattern else "no pattern says how to find it"
    reason = f"training job {individual.known_as} completed without metric {missing[0]!r}: {looked}"
    return individual.failed("value", reason, tail(logs, individual.known_as))
