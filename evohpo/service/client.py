"""A worker of a served study. It needs nothing but Python's standard library: this file alone, copied anywhere, will do."""

from __future__ import annotations

import contextlib
import http.client
import inspect
import json
import os
import random
import socket
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

API = "api/v1/"
TOKEN = "EVOHPO_TOKEN"  # noqa: S105 - the name of the environment variable
PATIENT = 20.0  # seconds an ask waits at the server
TIMEOUT = 90.0  # seconds for an answer
SLOWEST = 5.0  # seconds between two attempts
PASSING = (429, 500, 502, 503, 504)  # what a proxy, or a server that starts or ends, may answer
TEXT, TRACEBACK = 500, 20_000  # characters sent
CONTEXT_NAMES = ("ctx", "context", "trial")


class ServiceGone(ConnectionError):
    """The service has not answered for longer than the worker's patience."""


class Refused(ValueError):
    """The service refuses what was sent.

    Attributes:
        status: the HTTP status, e.g. 422.
        detail: what is wrong.
    """

    def __init__(self, status: int, detail: str) -> None:
        self.status, self.detail = status, detail
        super().__init__(f"{detail} (HTTP {status})")


class TrialStopped(BaseException):  # not an Exception: no `except Exception` of a training loop is to hold it up
    """Raised by `trial.report` when the study wants no more of the trial; let it pass."""


class RemoteTrial:
    """A trial that this worker has; for `Remote.run`, also the second argument of an objective that takes one.

    Attributes:
        number: the trial's number.
        params: the hyperparameters.
        seed: a function of the study's seed and the trial's number, in [0, 2**32).
        resources: what the trial may use, e.g. {"gpu": [0]}.
        decision: "continue" until the study says "stop" or "pause", or the lease is "lost".
    """

    def __init__(self, remote: Remote, given: Mapping[str, Any]) -> None:
        self.number: int = given["number"]
        self.params: dict[str, Any] = given["params"]
        self.seed: int = given["seed"]
        self.resources: dict[str, Any] = given["resources"]
        self.decision = "continue"
        self._remote, self._lease, self._seconds = remote, given["lease"], given["seconds"]
        self._step, self._directory = given["step"], given["directory"]
        self._asked = False  # whether somebody looked at `step`

    @property
    def step(self) -> int:
        """The last step that is known, 0 for a trial that starts: with a checkpoint go on after it, else begin anew."""
        self._asked = True
        return self._step  # type: ignore[no-any-return]

    @property
    def directory(self) -> Path:
        """A folder for the trial, made when first asked for: the study's where it is on this machine's disks too."""
        folder = self._remote._folder_of(self.number, self._directory)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def report(self, step: int, **metrics: Any) -> None:
        """Report the metrics at `step`.

        Raises:
            TrialStopped: the study wants no more of the trial; let it pass.
        """
        if self._remote.report(self, step, metrics) != "continue":
            raise TrialStopped(f"trial {self.number}: {self.decision} after step {step}")

    def __repr__(self) -> str:
        return f"RemoteTrial({self.number}, params={self.params})"


class Remote:
    """A served study, seen from a worker; made by `connect`. All calls may come from several threads."""

    def __init__(self, url: str, token: str | None, worker: str | None, patience: float, folder: Any) -> None:
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url={url!r}: write http://HOST:PORT")
        self.url = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + "/", "", ""))
        self.worker = worker or f"{socket.gethostname()}-{os.getpid()}"
        self.done = False
        self.reason: dict[str, Any] | None = None
        self._token = token or os.environ.get(TOKEN)
        self._patience = patience
        self._folder = None if folder is None else Path(folder)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")  # there no proxy leads
        self._opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))
        self._dice = random.Random()  # noqa: S311 - spreads attempts in time
        self._lock = threading.Lock()
        self._mine: dict[str, RemoteTrial] = {}  # by lease
        self._beating: threading.Thread | None = None

    # ---- ask, report, tell

    def ask(self, n: int = 1, worker: str | None = None) -> list[RemoteTrial]:
        """Return 1 to `n` trials as soon as there are some; none when the study is over.

        Raises:
            ServiceGone: no answer for too long.
            Refused: e.g. a wrong token.
        """
        while not self.done:
            request = {"n": n, "worker": worker or self.worker, "request": uuid.uuid4().hex, "wait": PATIENT}
            answer = self._send("ask", request)
            if answer["done"]:
                self.done, self.reason = True, answer["reason"]
            elif answer["trials"]:
                trials = [RemoteTrial(self, given) for given in answer["trials"]]
                self._keep(trials)
                return trials
            else:
                time.sleep(answer["retry_after"])
        return []

    def report(self, trial: RemoteTrial, step: int, metrics: Any) -> str:
        """Report a step and return "continue", "stop" or "pause"; "lost" if the trial was given to another worker.

        After anything but "continue" the trial is over for this worker, and not to be told.

        Raises:
            ServiceGone: no answer for too long.
            Refused: nonsense, such as a metric that is no number.
        """
        if trial.decision == "continue":
            self._decide(trial, "report", {"lease": trial._lease, "step": step, "metrics": metrics}, keep_trying=True)
        return trial.decision

    def tell(
        self, trial: RemoteTrial, metrics: Any = None, *, error: BaseException | str | None = None,
        traceback: str = "", seconds: float | None = None,
    ) -> str:  # fmt: skip
        """Tell how a trial ended and return what the study made of it: "completed", "failed", ...; "lost" as in `report`.

        Args:
            trial: the trial.
            metrics: the result; None for that of the last report.
            error: why there is none.
            traceback: where it was raised.
            seconds: how long it took; None for the time since it was asked for.

        Raises:
            ServiceGone: no answer for too long.
            Refused: nonsense, such as a metric that is no number.
        """
        text = error if isinstance(error, str) or error is None else f"{type(error).__name__}: {error}"
        told = {"lease": trial._lease, "metrics": metrics, "seconds": seconds}
        if text is not None:
            told |= {"error": _sendable(text, TEXT), "traceback": _sendable(traceback, TRACEBACK)}
        try:
            answer = self._send("tell", told)
        except Refused as refusal:
            if refusal.status != 409:
                raise
            self._forget(trial)
            return "lost"
        self._forget(trial)
        return str(answer["status"])

    def __iter__(self) -> Iterator[RemoteTrial]:
        """Yield one trial after the other until the study is over."""
        while trials := self.ask():
            yield from trials

    def study(self) -> dict[str, Any]:
        """Return where the study stands: its goals, space, counts, best trial."""
        return self._send("study", None)

    def trials(self) -> list[dict[str, Any]]:
        """Return all trials, as the table has them."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self._send(f"trials?offset={len(rows)}&limit=1000", None)
            rows += page["trials"]
            if len(rows) >= page["total"] or not page["trials"]:
                return rows

    # ---- running an objective

    def run(self, objective: Callable[..., Any], workers: int = 1) -> None:
        """Evaluate trials with `objective` until the study is over.

        It is called as by `evohpo.tune`: with a dict of hyperparameters and, if it takes a second argument, the `RemoteTrial`;
        it returns a number or a dict of metrics, or yields one a training step. What it raises fails its trial.

        Args:
            objective: the function.
            workers: how many trials at once, each on a thread. Where objectives compute, start more processes instead.

        Raises:
            ServiceGone: no answer for too long.
            Refused: e.g. a wrong token.
        """
        if workers == 1:
            self._work(objective, self.worker)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(workers) as pool:
            for ended in [pool.submit(self._work, objective, f"{self.worker}-{i + 1}") for i in range(workers)]:
                ended.result()

    def _work(self, objective: Callable[..., Any], worker: str) -> None:
        while trials := self.ask(1, worker):
            for trial in trials:
                self._evaluate(objective, trial)

    def _evaluate(self, objective: Callable[..., Any], trial: RemoteTrial) -> None:
        began = time.monotonic()
        try:
            params = dict(trial.params)
            value = objective(params, trial) if _takes_trial(objective) else objective(params)
            if inspect.isgenerator(value):
                value = self._steps(trial, value)
            if trial.decision == "continue":
                self.tell(trial, value, seconds=time.monotonic() - began)
        except TrialStopped:
            pass
        except (KeyboardInterrupt, ServiceGone):
            raise
        except BaseException as error:
            if isinstance(error, Refused) and error.status in (401, 403):
                raise
            if trial.decision == "continue":
                where = traceback.format_exc()
                self.tell(trial, error=error, traceback=where, seconds=time.monotonic() - began)
        finally:
            self._forget(trial)

    def _steps(self, trial: RemoteTrial, generator: Any) -> Any:
        """Report what a generator yields and return its result; the server passes over steps that it knows."""
        step, metrics = 0, None
        with contextlib.closing(generator):
            while True:
                try:
                    metrics = next(generator)
                except StopIteration as stop:
                    return metrics if stop.value is None else stop.value
                if step == 0 and trial._asked:
                    step = trial._step
                step += 1
                if self.report(trial, step, metrics) != "continue":
                    raise TrialStopped

    def _folder_of(self, number: int, theirs: str | None) -> Path:
        name = f"trial-{number:06d}"
        if self._folder is not None:
            return self._folder / name
        if theirs is not None and Path(theirs).parent.parent.is_dir():
            return Path(theirs)
        with self._lock:
            if self._scratch is None:
                self._scratch = tempfile.TemporaryDirectory(prefix="evohpo-", ignore_cleanup_errors=True)
        return Path(self._scratch.name) / name

    # ---- signs of life

    def _keep(self, trials: list[RemoteTrial]) -> None:
        with self._lock:
            self._mine |= {trial._lease: trial for trial in trials}
            if self._beating is None:
                self._beating = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
                self._beating.start()

    def _forget(self, trial: RemoteTrial) -> None:
        with self._lock:
            self._mine.pop(trial._lease, None)

    def _beat(self) -> None:
        """Keep the leases of all trials that are under way; end when there are none any more."""
        while True:
            with self._lock:
                trials = list(self._mine.values())
                if not trials:
                    self._beating = None
                    return
            time.sleep(min(trial._seconds for trial in trials) / 3)
            for trial in trials:
                if trial._lease in self._mine:
                    with contextlib.suppress(OSError, http.client.HTTPException, Refused):  # the worker will hear of it
                        self._decide(trial, "heartbeat", {"lease": trial._lease}, keep_trying=False)

    def _decide(self, trial: RemoteTrial, path: str, body: dict[str, Any], keep_trying: bool) -> None:
        """Send something and note the decision that is answered."""
        try:
            decision = self._send(path, body, keep_trying)["decision"]
        except Refused as refusal:
            if refusal.status != 409:
                raise
            decision = "lost"
        if decision != "continue":
            trial.decision = decision
            self._forget(trial)

    # ---- sending

    def _send(self, path: str, body: Any, keep_trying: bool = True) -> dict[str, Any]:
        """Return what is answered; while there is no answer, try again: nothing that is sent twice happens twice."""
        data = None if body is None else json.dumps(body, default=_plain).encode()
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(self.url + API + path, data, headers)  # noqa: S310 - the scheme was looked at
        since, pause = time.monotonic(), 0.05
        while True:
            try:
                with self._opener.open(request, timeout=TIMEOUT if keep_trying else SLOWEST) as answer:
                    return json.load(answer)  # type: ignore[no-any-return]
            except urllib.error.HTTPError as error:
                problem: Exception = Refused(error.code, _detail(error))
                if error.code not in PASSING:
                    raise problem from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem = error
            if not keep_trying:
                raise problem
            if time.monotonic() - since > self._patience:
                raise ServiceGone(f"{self.url} has not answered for {self._patience:g} s ({problem})") from problem
            time.sleep(pause * self._dice.uniform(0.5, 1.5))
            pause = min(2 * pause, SLOWEST)


def connect(
    url: str, token: str | None = None, *, worker: str | None = None, patience: float = 300.0, folder: Any = None
) -> Remote:
    """Return a study that is served at `url`, to work for it.

    Args:
        url: what `evohpo serve` shows, e.g. "http://box:8000".
        token: what it shows beside it; the environment variable EVOHPO_TOKEN by default.
        worker: this worker's name in the table; its machine and process by default.
        patience: seconds for which an unreachable service is tried again, before `ServiceGone` is raised.
        folder: where trials have their folders. By default the study's, where it is on this machine's disks, else temporary.

    Raises:
        ValueError: `url` is none.

    Example:
        remote = eh.connect("http://box:8000", token="...")
        for trial in remote:
            for step in range(1, 11):
                if remote.report(trial, step, {"accuracy": train_a_bit(trial.params)}) != "continue":
                    break
            else:
                remote.tell(trial)

        eh.connect("http://box:8000").run(train)  # the same, with an objective as for eh.tune
    """
    return Remote(url, token, worker, patience, folder)


def _plain(value: Any) -> Any:
    """Return a number of NumPy or a tensor as one of Python's."""
    if getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"a metric must be a number, not of type {type(value).__name__}")


def _sendable(text: str, limit: int) -> str:
    """Return text without halves of characters, and of a long one both ends."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= limit else f"{text[: limit // 2 - 4]}\n...\n{text[4 - limit // 2 :]}"[:limit]


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return str(error.reason)


def _takes_trial(objective: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(objective).parameters.values()
    except (TypeError, ValueError):  # some builtins have no signature
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) >= 2 and (
        positional[1].default is inspect.Parameter.empty or positional[1].name in CONTEXT_NAMES
    )
