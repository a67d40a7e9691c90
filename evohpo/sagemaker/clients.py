"""Clients of AWS, made once, with patience; and what their errors mean."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from evohpo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

POLL, LOCAL_POLL = 15.0, 0.1  # seconds between looks at the service; at one on this machine
OUTAGE = 1800.0  # seconds without an answer after which a run ends; its jobs go on
ATTEMPTS = 10  # of a call that is throttled or meets a fault of the service, with growing pauses in between
TRANSIENT = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException",
    "InternalFailure", "InternalError", "InternalServerError", "ServiceUnavailable", "ServiceUnavailableException", "500",
    "502", "503", "504", "RequestTimeout",
}  # fmt: skip


class Clients:
    """The clients that one evaluator uses, each made when first used.

    Args:
        session: a `boto3.Session`, for an account or region of its own; None for what the environment says.

    Raises:
        UsageError: boto3 is missing, or region or credentials are.
    """

    def __init__(self, session: Any = None) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise UsageError("SageMaker needs boto3: pip install evohpo[sagemaker]") from error
        self._session = session or boto3.Session()
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS}, connect_timeout=5, read_timeout=60
        )
        self._made: dict[str, Any] = {}
        if self._session.region_name is None:
            raise UsageError("no AWS region: set AWS_DEFAULT_REGION, or region in ~/.aws/config, or give session=")
        if self._session.get_credentials() is None:
            raise UsageError(
                "no AWS credentials: run `aws configure`, set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give session="
            )

    def __getattr__(self, service: str) -> Any:
        """Return the client of a service: `clients.sagemaker`, `clients.logs`, `clients.s3`."""
        if service.startswith("_"):
            raise AttributeError(service)
        if service not in self._made:
            with explained():
                self._made[service] = self._session.client(service, config=self._config)
        return self._made[service]


def poll_of(client: Any) -> float:
    """Return how many seconds should be between looks at the service of `client`."""
    local = urlsplit(client.meta.endpoint_url).hostname in ("127.0.0.1", "localhost", "::1")
    return LOCAL_POLL if local else POLL


def if_there(call: Callable[..., dict[str, Any]], **named: str) -> dict[str, Any] | None:
    """Return what `call` says of something that is named, None if there is no such thing."""
    from botocore.exceptions import ClientError

    try:
        return call(**named)
    except ClientError as error:
        if code_of(error) in ("ValidationException", "ResourceNotFound") and "not f" in message_of(error):
            return None
        raise


def code_of(error: Exception) -> str:
    """Return the error's name in the API, "" for one that is none of the API's."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def message_of(error: Exception) -> str:
    """Return what the service said, without the name of the operation."""
    response = getattr(error, "response", None)
    said = response.get("Error", {}).get("Message", "") if isinstance(response, dict) else ""
    return str(said or error)


def is_transient(error: Exception) -> bool:
    """Return whether the same call may succeed later: throttling, faults of the service, a network that is down."""
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError

    return code_of(error) in TRANSIENT or isinstance(error, HTTPClientError | NoConnection)


@contextmanager
def explained() -> Iterator[None]:
    """Turn errors that only the user can do something about into one clear line.

    Raises:
        UsageError: says what AWS or the network says, and what to do.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointConnectionError,
        NoCredentialsError,
        NoRegionError,
    )

    try:
        yield
    except NoRegionError as error:
        raise UsageError(
            "no AWS region: set AWS_DEFAULT_REGION, or region in ~/.aws/config, or give session="
        ) from error
    except NoCredentialsError as error:
        raise UsageError("no AWS credentials: run `aws configure`, or set AWS_PROFILE or AWS_ACCESS_KEY_ID") from error
    except EndpointConnectionError as error:
        raise UsageError(f"{error}: is the region right, and the network up?") from error
    except ClientError as error:
        raise UsageError(f"AWS refuses: {message_of(error)} ({code_of(error)})") from error
    except BotoCoreError as error:
        raise UsageError(f"AWS cannot be used: {error}") from error


def client_of(service: str = "sagemaker", session: Any = None) -> Any:
    """Return a client of `service` with our patience.

    Raises:
        UsageError: boto3 is missing, or region or credentials are.
    """
    return getattr(Clients(session), service)
