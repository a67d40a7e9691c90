"""One training job of the local service: its thread, its states, and what DescribeTrainingJob says of it."""

from __future__ import annotations

import copy
import math
import re
import signal
import struct
import threading
from typing import IO, TYPE_CHECKING, Any

from evohpo.sagemaker.local.cloud import now
from evohpo.sagemaker.local.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evohpo.sagemaker.local.cloud import Cloud
    from evohpo.sagemaker.local.container import Container
    from evohpo.sagemaker.local.faults import Faults

TICK = 0.05  # seconds between looks at a running script
SHIPPING = 0.2  # seconds between two deliveries of logs and checkpoints
NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)
SPOT_SHARE = 0.3  # of the time, what is billed for spot instances here; a figure made up


class TrainingJob:
    """A job from its creation to its end.

    Args:
        request: the CreateTrainingJob request.
        arn: its name in full.
        cloud: where logs, checkpoints and models go.
        make: makes the container of the request.
        faults: what is to go wrong.
        slots: processes that may run at once on this machine.
        grace: seconds between the signals TERM and KILL.
    """

    def __init__(
        self, request: dict[str, Any], arn: str, cloud: Cloud, make: Callable[[], Container], faults: Faults,
        slots: threading.Semaphore, grace: float,
    ) -> None:  # fmt: skip
        self.request, self.arn, self.name = request, arn, request["TrainingJobName"]
        self._cloud, self._make, self._faults, self._slots, self._grace = cloud, make, faults, slots, grace
        self.created = self.modified = now()
        self.status, self.secondary, self.reason = "InProgress", "Starting", ""
        self.holds_instance = True
        self._opened = 0  # seconds since the epoch, in the name of the latest log stream
        self._began: float | None = None
        self._ended: float | None = None
        self._metrics: dict[str, tuple[float, float]] = {}
        self._transitions: list[dict[str, Any]] = []
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._move("InProgress", "Starting")
        self._thread = threading.Thread(target=self._live, name=f"job-{self.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end.

        Raises:
            ApiError: it is not in progress.
        """
        with self._lock:
            if self.status != "InProgress":
                raise ApiError(
                    "ValidationException",
                    f"The request was rejected because the training job is in status {self.status}.",
                )
            self._move("Stopping", "Stopping")
        self._stopping.set()

    def join(self, timeout: float) -> None:
        """Wait until nothing of it is left."""
        self._thread.join(timeout)

    def describe(self) -> dict[str, Any]:
        """Return what DescribeTrainingJob says."""
        with self._lock:
            said = copy.deepcopy(self.request) | {
                "TrainingJobArn": self.arn, "TrainingJobStatus": self.status, "SecondaryStatus": self.secondary,
                "CreationTime": self.created, "LastModifiedTime": self.modified,
                "SecondaryStatusTransitions": copy.deepcopy(self._transitions),
                "FinalMetricDataList": [
                    {"MetricName": name, "Value": value, "Timestamp": at} for name, (value, at) in self._metrics.items()
                ],
            }  # fmt: skip
            if self.reason:
                said["FailureReason"] = self.reason[:1024]
            if self._began is not None:
                said["TrainingStartTime"] = self._began
            if self._began is not None and self._ended is not None:
                seconds = max(1, math.ceil(self._ended - self._began))
                share = SPOT_SHARE if self.request.get("EnableManagedSpotTraining") else 1.0
                said |= {"TrainingEndTime": self._ended, "TrainingTimeInSeconds": seconds}
                said["BillableTimeInSeconds"] = max(1, round(share * seconds))
            if self.status == "Completed":
                where = self.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
                said["ModelArtifacts"] = {"S3ModelArtifacts": f"{where}/{self.name}/output/model.tar.gz"}
            return said

    def summary(self) -> dict[str, Any]:
        """Return what listings say."""
        with self._lock:
            said = {
                "TrainingJobName": self.name, "TrainingJobArn": self.arn, "CreationTime": self.created,
                "LastModifiedTime": self.modified, "TrainingJobStatus": self.status, "SecondaryStatus": self.secondary,
            }  # fmt: skip
            return said | ({"TrainingEndTime": self._ended} if self._ended is not None else {})

    # ---- its life

    def _move(self, status: str, secondary: str, reason: str = "") -> None:
        with self._lock:
            if self.status == "Stopping" and status == "InProgress":
                return  # stopped meanwhile
            self.status, self.secondary, self.modified = status, secondary, now()
            self.reason = reason or self.reason
            self._transitions.append({"Status": secondary, "StartTime": self.modified, "StatusMessage": reason})

    def _live(self) -> None:
        container = self._make()
        try:
            status, secondary, reason = self._run(container)
        except ApiError as error:
            status, secondary, reason = "Failed", "Failed", str(error)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong here is the service's fault, and the job's end
            status, secondary, reason = "Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}"
        finally:
            container.clear()
        if self.status == "Stopping":
            self._stopping.clear()
            self._stopping.wait(self._faults.stop_delay)
        if self._began is not None:
            self._ended = now()
        self.holds_instance = False
        self._move(status, secondary, reason)

    def _run(self, container: Container) -> tuple[str, str, str]:
        """Go through the states; return the last one, and why."""
        self._stopping.wait(self._faults.start_delay)
        if self._faults.no_capacity(self.name):
            return "Failed", "Failed", NO_CAPACITY
        self._move("InProgress", "Pending")
        with self._slots:
            if self._stopping.is_set():
                return "Stopped", "Stopped", ""
            self._move("InProgress", "Downloading")
            self._began = now()
            container.prepare()
            self._move("InProgress", "Training")
            interrupted = bool(self.request.get("EnableManagedSpotTraining")) and self._faults.interrupts(self.name)
            code, why = self._train(container, interrupted)
            if why == "Interrupted":
                self._move("InProgress", "Interrupted")
                container.clear()
                container.prepare()
                self._move("InProgress", "Restarting")
                code, why = self._train(container, interrupted=False)
        if why:
            container.save()
            return "Stopped", why, ""
        if code != 0:
            return "Failed", "Failed", container.failure or self._algorithm_error(code)
        self._move("InProgress", "Uploading")
        container.save()
        return "Completed", "Completed", ""

    @staticmethod
    def _algorithm_error(code: int) -> str:
        return f"AlgorithmError: , exit code: {code if code >= 0 else 128 - code}"

    def _train(self, container: Container, interrupted: bool) -> tuple[int, str]:
        """Run the script once; return its exit code, and why it was ended if it was."""
        self._opened = max(int(now()), self._opened + 1)  # a restart within the same second has a stream of its own
        stream = f"{self.name}/algo-1-{self._opened}"
        self._cloud.open_stream(stream)
        output = container.start()
        lines: list[tuple[float, str]] = []
        reader = threading.Thread(target=self._read, args=(output, lines), daemon=True)
        reader.start()
        began, why, killed_at = now(), "", math.inf
        limit = self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400)
        shipped, next_shipping = 0, 0.0
        sent: dict[Path, tuple[int, int]] = {}
        while reader.is_alive():
            reader.join(TICK)
            at = now()
            if not why:
                if self._stopping.is_set():
                    why = "Stopped"
                elif at - began > limit:
                    why = "MaxRuntimeExceeded"
                elif interrupted and (lines or at - began > 1.0):
                    why = "Interrupted"
                if why:
                    container.signal(signal.SIGTERM)
                    killed_at = at + self._grace
            if at > killed_at:
                container.signal(signal.SIGKILL)
            if at > next_shipping:
                shipped = self._ship(stream, lines, shipped, at - self._faults.log_delay)
                self._keep(container, sent)
                next_shipping = at + SHIPPING
        code = container.wait()
        self._keep(container, sent)
        self._finish_logs(stream, lines, shipped)
        return code, why

    def _read(self, output: IO[str], lines: list[tuple[float, str]]) -> None:
        with output:
            for line in output:
                text, at = line.rstrip("\n"), now()
                lines.append((at, text))
                for metric in self.request["AlgorithmSpecification"].get("MetricDefinitions", ()):
                    self._measure(metric["Name"], metric["Regex"], text, at)

    def _measure(self, name: str, regex: str, text: str, at: float) -> None:
        found = re.search(regex, text)
        if found is None or not found.groups():
            return
        try:
            value = struct.unpack("f", struct.pack("f", float(found[1])))[0]  # the service keeps single precision
        except (ValueError, OverflowError):
            return
        if math.isfinite(value):
            with self._lock:
                self._metrics[name] = (value, at)

    def _ship(self, stream: str, lines: list[tuple[float, str]], first: int, until: float) -> int:
        """Deliver the lines printed up to `until`; return how many have been delivered."""
        last = len(lines)
        while last > first and lines[last - 1][0] > until:
            last -= 1
        if last > first:
            self._cloud.log(stream, lines[first:last])
        return last

    def _finish_logs(self, stream: str, lines: list[tuple[float, str]], first: int) -> None:
        delay = self._faults.log_delay
        if delay <= 0:
            self._ship(stream, lines, first, math.inf)
            return
        late = threading.Timer(delay, self._ship, (stream, lines, first, math.inf))
        late.daemon = True
        late.start()

    def _keep(self, container: Container, sent: dict[Path, tuple[int, int]]) -> None:
        """Deliver the checkpoints that changed."""
        where = self.request.get("CheckpointConfig", {}).get("S3Uri")
        if where:
            self._cloud.upload(container.checkpoints, where, sent)
