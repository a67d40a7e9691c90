"""The storage and the logs behind the local service, spoken to as any client would."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

GROUP = "/aws/sagemaker/TrainingJobs"


class Cloud:
    """S3 and CloudWatch Logs at `url`.

    Args:
        url: the loopback address where moto answers.
        region: the region's name.
    """

    def __init__(self, url: str, region: str) -> None:
        import boto3

        session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=region)  # noqa: S106 - no secret
        self.s3: Any = session.client("s3", endpoint_url=url)
        self.logs: Any = session.client("logs", endpoint_url=url)
        self.iam: Any = session.client("iam", endpoint_url=url)

    def furnish(self, bucket: str, role: str) -> str:
        """Make a bucket, the group of the logs, and a role that SageMaker may take, if they are not there; return the ARN."""
        self.s3.create_bucket(Bucket=bucket)
        with contextlib.suppress(self.logs.exceptions.ResourceAlreadyExistsException):
            self.logs.create_log_group(logGroupName=GROUP)
        trust = (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
            ' "Principal": {"Service": "sagemaker.amazonaws.com"}}]}'
        )
        with contextlib.suppress(self.iam.exceptions.EntityAlreadyExistsException):
            self.iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
        arn: str = self.iam.get_role(RoleName=role)["Role"]["Arn"]
        return arn

    def download(self, uri: str, folder: Path) -> None:
        """Fetch every object under the prefix `uri` into `folder`; one object that is named in full, too."""
        bucket, prefix = split(uri)
        folder.mkdir(parents=True, exist_ok=True)
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                key = item["Key"]
                whole = key == prefix or prefix.endswith("/") or not prefix or key[len(prefix)] == "/"
                if key.endswith("/") or not whole:
                    continue
                name = Path(key).name if key == prefix else key[len(prefix) :].lstrip("/")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                self.s3.download_file(bucket, key, str(target))

    def upload(self, folder: Path, uri: str, known: dict[Path, tuple[int, int]]) -> None:
        """Send the files of `folder` that changed since the last time; `known` remembers what was sent."""
        bucket, prefix = split(uri)
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            try:
                stat = path.stat()
                stamp = (stat.st_mtime_ns, stat.st_size)
                if known.get(path) != stamp:
                    content = path.read_bytes()  # at once: a file that is being written would not keep to its length
                    self.s3.put_object(
                        Bucket=bucket, Key=f"{prefix.rstrip('/')}/{path.relative_to(folder)}", Body=content
                    )
                    known[path] = stamp
            except FileNotFoundError:
                continue  # the script took it away in between

    def put(self, path: Path, uri: str) -> None:
        """Send one file."""
        bucket, key = split(uri)
        self.s3.upload_file(str(path), bucket, key)

    def open_stream(self, name: str) -> None:
        """Make a log stream."""
        self.logs.create_log_stream(logGroupName=GROUP, logStreamName=name)

    def log(self, name: str, lines: list[tuple[float, str]]) -> None:
        """Append lines, each with its time, to a stream."""
        for first in range(0, len(lines), 1000):
            events = [{"timestamp": int(at * 1000), "message": text or " "} for at, text in lines[first : first + 1000]]
            self.logs.put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=events)


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of `s3://bucket/key`."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


def now() -> float:
    """Return the time of the service's clock, in seconds since the epoch."""
    return time.time()
