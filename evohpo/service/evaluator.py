"""An evaluator whose jobs are done by whoever asks for them over HTTP."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any

from evohpo.closing import Closing
from evohpo.errors import UsageError
from evohpo.evaluators.calling import check_limits
from evohpo.service.desk import Desk

if TYPE_CHECKING:
    from evohpo.evaluators.protocol import Event, Job
    from evohpo.study import Study

FAREWELL = 3.0  # seconds for workers to hear that the study is over


class HTTP(Closing):
    """Gives trials to workers that ask for them over HTTP: in any language, on any machine, coming and going as they like.

    A worker has a trial under a lease. One that is not heard of for so long loses it: the next worker that asks goes on with
    it, and what the first one says later is refused. `evohpo.connect` makes a worker in Python.

    Args:
        host: where to listen; "0.0.0.0" lets other machines in.
        port: 0 takes any free one.
        token: what workers have to show. None makes one, unless only this machine can reach `host`.
        lease: seconds.
        workers: trials that are out at once, which is also what the optimizer is told; None for as many as workers ask for.
        retries: how often a trial whose worker is lost is given to another, before it fails.
        timeout: seconds a worker may take for a trial.

    Attributes:
        url: where it listens.
        token: what workers have to show, None for nothing.

    Raises:
        UsageError: an argument that makes no sense, a port that cannot be listened on, a library is missing.

    Example:
        evaluator = eh.HTTP(port=8000)
        eh.tune(None, space, maximize="accuracy", trials=100, evaluator=evaluator)
    """

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, *, token: str | None = None, lease: float = 60.0,
        workers: int | None = None, retries: int = 2, timeout: float | None = None,
    ) -> None:  # fmt: skip
        try:
            from evohpo.listening import Server, is_loopback, own_names
            from evohpo.service.app import create_app
        except ImportError as error:
            raise UsageError(f"serving trials needs more ({error}): pip install 'evohpo[service]'") from error
        check_limits(workers, lease=lease, timeout=timeout)
        if lease is None:
            raise UsageError("lease=None: must be a number of seconds above 0")
        if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
            raise UsageError(f"retries={retries!r}: must be a whole number of at least 0")
        if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token != ""):
            raise UsageError("token: must be printable ASCII without spaces around it, and not empty")
        if token is None and not is_loopback(host):
            token = secrets.token_urlsafe(24)
        self.token = token
        self._desk = Desk(lease, retries, timeout, workers)
        self._server = Server(create_app(self._desk, token, own_names(host)), host, port, "the service")
        self.url = self._server.url
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def capacity(self) -> int:
        """How many trials may be out at once."""
        return self._desk.capacity

    @capacity.setter
    def capacity(self, workers: int) -> None:
        self._desk.workers = workers

    def begin(self, study: Study) -> None:
        """Take note of whose trials these are, and let workers in.

        Raises:
            UsageError: it is closed.
        """
        self._desk.begin(study)
        self._start()

    def submit(self, job: Job) -> None:
        """Have a job ready for who asks next; its objective is the workers' own."""
        self._desk.submit(job)
        self._start()

    def wait(self, timeout: float | None) -> list[Event]:
        """Return what happened, after at most `timeout` seconds; also when a worker asks for more than lies ready."""
        return self._desk.wait(timeout)

    def heard(self) -> None:
        """Answer the workers whose events `wait` returned last, before the optimizer is asked, which may take its time."""
        self._desk.heard()

    def stop(self, number: int, pause: bool = False) -> None:
        """End or pause a job; its worker is told when it next reports or says that it is alive."""
        self._desk.stop(number, pause)

    def close(self) -> None:
        """Tell the workers that the study is over, unless it was interrupted, and close the port."""
        self._closed = True
        study = self._desk.study
        why: dict[str, Any] = {"closed": True} if study is None else study.stopped
        over = why if why and "interrupted" not in why else None
        self._desk.close(over)
        if self._thread is not None:
            if over is not None:
                self._desk.await_farewells(min(FAREWELL, self._desk.lease))
            self._server.should_exit = True
            self._thread.join()
            self._thread = None
        self._server.close()

    def _start(self) -> None:
        if self._closed:
            raise UsageError("this HTTP(...) has served its study and is closed; make another one")
        if self._thread is None:
            self._thread = threading.Thread(target=self._server.serve_until_stopped, name="service", daemon=True)
            self._thread.start()
