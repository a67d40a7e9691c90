"""What training jobs print, from CloudWatch Logs, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evohpo.sagemaker.clients import code_of

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "/aws/sagemaker/TrainingJobs"


class Log:
    """The log of one job, read on from where it was left.

    Args:
        client: of CloudWatch Logs.
        job: the job's name.
    """

    def __init__(self, client: Any, job: str) -> None:
        self._client, self._job = client, job
        self._tokens: dict[str, str] = {}  # by stream, where to read on

    def read(self) -> Iterator[str]:
        """Yield the lines that came since the last time, stream by stream."""
        for stream in self._streams():
            token: str | None = self._tokens.get(stream)
            while True:
                more = {} if token is None else {"nextToken": token}
                page = self._client.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, **more)
                for event in page["events"]:
                    yield event["message"]
                if page["nextForwardToken"] == token:
                    break
                token = self._tokens[stream] = page["nextForwardToken"]

    def _streams(self) -> list[str]:
        pages = self._client.get_paginator("describe_log_streams").paginate(
            logGroupName=GROUP,
            logStreamNamePrefix=f"{self._job}/",  # the slash keeps ...-i1 apart from ...-i10
        )
        try:
            return sorted(stream["logStreamName"] for page in pages for stream in page["logStreams"])
        except self._client.exceptions.ResourceNotFoundException:  # no job of this account ever printed a line
            return []


def tail(client: Any, job: str, lines: int = 40) -> str:
    """Return the last lines that a job printed, "" if there is nothing or it cannot be read."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return "\n".join(list(Log(client, job).read())[-lines:])
    except (BotoCoreError, ClientError) as error:
        return f"(its log cannot be read: {code_of(error) or error})"
