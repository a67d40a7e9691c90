"""The loopback HTTP service: SageMaker's training and tuning jobs are ours, everything else is moto's."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from evohpo.errors import UsageError
from evohpo.sagemaker.local.cloud import Cloud
from evohpo.sagemaker.local.errors import ApiError
from evohpo.sagemaker.local.jobs import ACCOUNT, Jobs
from evohpo.sagemaker.local.tuning import Tuning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from evohpo.sagemaker.local.faults import Faults

REGION = "us-east-1"
JSON = "application/x-amz-json-1.1"
VERBS = ("create_", "describe_", "list_", "stop_", "update_", "add_")


class LocalSageMaker:
    """SageMaker on this machine: training jobs are processes, and unmodified clients do not see the difference.

    As a context manager it also sets the variables of this process that lead boto3 and the SageMaker SDKs here.

    Args:
        images: by image, the command that stands for it; it is called with "train", as an image is. Script mode and
            container entry points need none.
        quota: instances that may be in use at once, for every type or by type; None for no limit.
        port: where to listen; 0 for any free port.
        processes: scripts that run at once; twice the machine's cores by default. Other jobs are pending.
        grace: seconds that a stopped script has to end by itself (120 in the real service).
        faults: what is to go wrong, see `Faults`.

    Attributes:
        url: the address.
        environment: variables for other processes that shall use it.
        jobs: the training jobs.
        tuning: the tuning jobs.
        faults: what is to go wrong.
        bucket: a bucket that exists.
        role: the ARN of a role that exists.

    Raises:
        UsageError: the libraries of the extra are missing, or the port is taken.

    Example:
        with LocalSageMaker(quota=4) as aws:
            study = eh.tune(None, space, maximize="accuracy", evaluator=eh.SageMaker(estimator, metric=...), ...)
    """

    _services = 0  # that are open in this process
    _counting = threading.Lock()

    def __init__(
        self, images: Mapping[str, Sequence[str]] | None = None, *, quota: int | Mapping[str, int] | None = None,
        port: int = 0, processes: int | None = None, grace: float = 10.0, faults: Faults | None = None,
    ) -> None:  # fmt: skip
        try:
            from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
            from werkzeug.serving import make_server
        except ImportError as error:
            raise UsageError(f"the local service needs {error.name}: pip install evohpo[sagemaker-local]") from error
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._others = DomainDispatcherApplication(create_backend_app)
        try:
            self._server = make_server("127.0.0.1", port, self._answer, threaded=True, request_handler=_handler())
        except (OSError, SystemExit) as error:
            raise UsageError(f"port {port} of 127.0.0.1 cannot be used ({error}); give another one, or 0") from error
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
            "SAGEMAKER_VALIDATE_ROLE": "false", "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
        }  # fmt: skip
        self._folder = Path(tempfile.mkdtemp(prefix="evohpo-sagemaker-"))
        cloud = Cloud(self.url, REGION)
        self.jobs = Jobs(self._folder, cloud, images or {}, self.environment, REGION, quota, processes, grace, faults)
        self.faults = self.jobs.faults
        self.tuning = Tuning(self.jobs)
        self._before: dict[str, str | None] = {}
        threading.Thread(target=self._server.serve_forever, name="sagemaker-local", daemon=True).start()
        self._open(+1)
        self.bucket = f"sagemaker-{REGION}-{ACCOUNT}"
        self.role = cloud.furnish(self.bucket, "sagemaker-local")

    def close(self) -> None:
        """Stop all jobs and the service; nothing stays."""
        self.tuning.close()
        self.jobs.close()
        self._open(-1)
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @classmethod
    def _open(cls, change: int) -> None:
        """Count the services of this process; let moto, whose memory all of them share, forget what earlier ones left."""
        from moto.moto_api._internal.models import moto_api_backend

        with cls._counting:
            if cls._services == 0 or cls._services + change == 0:
                moto_api_backend.reset()
            cls._services += change

    # ---- requests

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        service, _, operation = target.partition(".")
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
        handler = next((h for h in (self.jobs, self.tuning) if name.startswith(VERBS) and hasattr(h, name)), None)
        if "/iam/" in environ.get("HTTP_AUTHORIZATION", "") and (allowed := self._simulated(environ)) is not None:
            start("200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(allowed)))])
            return [allowed]
        if service != "SageMaker" or handler is None:
            answer: Iterable[bytes] = self._others(environ, start)
            return answer
        length = int(environ.get("CONTENT_LENGTH") or 0)
        request = json.loads(environ["wsgi.input"].read(length) or b"{}")
        try:
            self.faults.before()
            status, said = "200 OK", getattr(handler, name)(request)
        except ApiError as error:
            status, said = f"{error.status} Error", {"__type": error.code, "message": error.message}
        body = json.dumps(said).encode()
        start(status, [("Content-Type", JSON), ("Content-Length", str(len(body)))])
        return [body]

    @staticmethod
    def _simulated(environ: dict[str, Any]) -> bytes | None:
        """Return the answer to SimulatePrincipalPolicy, which moto does not know: everything is allowed."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        form = parse_qs(body.decode())
        if form.get("Action") != ["SimulatePrincipalPolicy"]:
            return None
        actions = [value for name, values in form.items() if name.startswith("ActionNames.") for value in values]
        allowed = "".join(
            f"<member><EvalActionName>{escape(a)}</EvalActionName><EvalDecision>allowed</EvalDecision></member>"
            for a in actions
        )
        return (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>{allowed}"
            "</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        ).encode()

    # ---- this process

    def __enter__(self) -> Self:
        self._before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self.close()


def _handler() -> Any:
    from werkzeug.serving import WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        """Keeps connections open, and says nothing."""

        protocol_version = "HTTP/1.1"

        def log(self, kind: str, message: str, *arguments: Any) -> None:
            """Say nothing."""

    return Quiet
