"""What becomes of jobs when a run is over or broken off."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from evohpo.sagemaker.clients import code_of, message_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evohpo.study import Study


def leave(client: Any, head: str, flying: list[str], on_exit: str, study: Study | None) -> None:
    """Stop the jobs in flight, or leave them to be adopted; jobs that no trial waits for are always stopped.

    Args:
        client: of SageMaker.
        head: what the names of the study's jobs begin with.
        flying: names of the jobs whose trials have not ended.
        on_exit: "stop", "leave" or "ask".
        study: whose they are.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    durable = study is not None and study.store is not None
    stay = bool(flying) and (on_exit == "leave" or (on_exit == "ask" and not _asked_to_stop(len(flying), durable)))
    try:
        if stay:
            how = "the same call adopts them" if durable else "without store= nobody will read their results"
            sys.stderr.write(f"\n{len(flying)} training jobs go on ({flying[0]} ...); {how}\n")
        else:
            for name in flying:
                stop_job(client, name)
        for name in (running(client, head) if study is not None else set()) - set(flying):
            stop_job(client, name)  # its trial ended while nobody was there to stop it
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"\nTraining jobs of {head} may still be running: {message_of(error)}\n")


def stop_job(client: Any, name: str) -> None:
    """Stop a job, unless it has ended by itself or is being stopped."""
    try:
        client.stop_training_job(TrainingJobName=name)
    except client.exceptions.ClientError as error:
        if code_of(error) != "ValidationException":
            raise


def running(client: Any, head: str) -> set[str]:
    """Return the names of a study's jobs in progress, a call a hundred jobs."""
    pages = client.get_paginator("list_training_jobs").paginate(
        NameContains=head, StatusEquals="InProgress", PaginationConfig={"PageSize": 100}
    )
    return {job["TrainingJobName"] for page in pages for job in page["TrainingJobSummaries"]}


def release_warm_pool(client: Any, names: Iterable[str]) -> None:
    """Give back the instances that are kept warm for jobs that will not come."""
    for name in names:
        try:
            client.update_training_job(TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": 0})
        except client.exceptions.ClientError:
            continue  # its instances were used again, or are gone


def _asked_to_stop(n: int, durable: bool) -> bool:
    if not sys.stdin.isatty():
        return True
    import click

    otherwise = " (Otherwise the same call adopts them.)" if durable else ""
    try:
        return click.confirm(f"\n{n} training jobs are running. Stop them?{otherwise}", default=True, err=True)
    except (KeyboardInterrupt, click.Abort):
        return True
