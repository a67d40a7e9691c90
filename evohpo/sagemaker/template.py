"""What all training jobs of a study have in common: one CreateTrainingJob request, whatever it was written with.

An estimator is asked once for its request, and its script is uploaded once. Calling `fit` or `train` for each individual
would upload it each time, take seconds each, let hyperparameters of one individual leak into the next, and, with a
ModelTrainer, give two jobs of the same second the same name. The SDKs are never imported: their objects are known by what
they can do.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from evohpo.errors import IllegalValue, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT = "provide-client-params.sagemaker.CreateTrainingJob"  # botocore's, emitted before anything is sent
NEEDED = ("AlgorithmSpecification", "OutputDataConfig", "ResourceConfig", "RoleArn", "StoppingCondition")
PROGRAM, JOB_NAME = "sagemaker_program", "sagemaker_job_name"  # hyperparameters of script mode
ACCEPTED = (
    "an estimator of the SageMaker SDK 2 (PyTorch(...), Estimator(...)), a ModelTrainer of the SDK 3, or a dict with the "
    "request that create_training_job takes"
)


@dataclass(frozen=True)
class Template:
    """A request from which every training job is cloned.

    Attributes:
        request: what create_training_job takes, without TrainingJobName; its HyperParameters are the static ones, as text.
        encode: how the script expects the value of a hyperparameter, as text.
        client: the boto3 client of the estimator's own session; None for a plain dict.
        session: the boto3 session of the estimator; None for a plain dict.
    """

    request: dict[str, Any]
    encode: Callable[[Any], str]
    client: Any = None
    session: Any = None

    def clone(self, name: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the full request of one job; it shares nothing with the template.

        Args:
            name: the job's name.
            params: hyperparameters, which win over static ones of the same name.

        Raises:
            IllegalValue: a value that cannot be written as text.
        """
        request = copy.deepcopy(self.request)
        values = {**request.get("HyperParameters", {}), **_encoded(params, self.encode)}
        if JOB_NAME in values:
            values[JOB_NAME] = self.encode(name)
        if "S3Uri" in request.get("CheckpointConfig", {}):  # jobs that share a folder would go on from each other's
            request["CheckpointConfig"]["S3Uri"] = f"{request['CheckpointConfig']['S3Uri'].rstrip('/')}/{name}"
        return {**request, "TrainingJobName": name, "HyperParameters": values}


def template_of(source: Any, inputs: Any = None) -> Template:
    """Return the template of an estimator, a trainer or a request.

    An estimator or trainer uploads its script; no job is created, and the object is left as it was.

    Args:
        source: an estimator of the SageMaker SDK 2, a ModelTrainer of the SDK 3, or a CreateTrainingJob request.
        inputs: the data, as the `fit` or `train` of `source` takes them. With a request or a ModelTrainer also one S3 URI,
            for the channel "training", or a dict of S3 URIs by channel; they win over channels of the same name.

    Raises:
        UsageError: `source` is none of these or runs on this machine, or the request is incomplete or of a wrong form.
        Exception: what the SDK itself raises, for instance because the script is missing.
    """
    if isinstance(source, Mapping):
        return _of_request(source, inputs)
    if (
        hasattr(source, "fit")
        and hasattr(source, "sagemaker_session")
        and callable(getattr(source, "hyperparameters", None))
    ):
        return _of_estimator(source, inputs)
    if hasattr(source, "train") and hasattr(source, "source_code") and hasattr(source, "training_image"):
        return _of_trainer(source, inputs)
    raise UsageError(f"a training job cannot be made of a {type(source).__name__}: give {ACCEPTED}")


# ---- how a script expects its hyperparameters


def as_text(value: Any) -> str:
    """Return text as it is, everything else as JSON: `adam`, `0.1`, `true`."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """Return `value` as JSON: `"adam"` with quotes, `0.1`, `true`; no digit of a float is lost.

    Raises:
        TypeError: it is no plain data.
    """
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    """Return the number in a number of NumPy, which json does not know."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no plain data")


def _encoded(values: Mapping[str, Any], encode: Callable[[Any], str]) -> dict[str, str]:
    encoded = {}
    for name, value in values.items():
        try:
            encoded[str(name)] = encode(value)
        except (TypeError, ValueError) as error:
            reason = (
                f"cannot be written as text ({error}); hyperparameters are text, numbers, booleans, lists and dicts"
            )
            raise IllegalValue(str(name), value, reason) from error
    return encoded


# ---- the three sources


def _of_request(source: Mapping[str, Any], inputs: Any) -> Template:
    request: dict[str, Any] = copy.deepcopy(dict(source))
    static = request.get("HyperParameters") or {}
    encode = as_json if PROGRAM in static else as_text  # script mode reads JSON, and would take "1e3" for a number
    request["HyperParameters"] = _encoded(static, lambda value: value if isinstance(value, str) else encode(value))
    _add_channels(request, inputs)
    return _made(request, encode)


def _of_estimator(estimator: Any, inputs: Any) -> Template:
    session = estimator.sagemaker_session
    _refuse_local(estimator, getattr(session, "local_mode", False))
    client, name = session.sagemaker_client, _unique(getattr(estimator, "base_job_name", None))
    with _left_as_it_was(estimator), _intercepted(client, name) as captured:
        estimator.fit(inputs, wait=False, logs=False, job_name=name)
    request = _only(captured, estimator)
    encode = as_json if PROGRAM in request.get("HyperParameters", {}) else as_text
    return _made(request, encode, client, session.boto_session)


def _of_trainer(trainer: Any, inputs: Any) -> Template:
    _refuse_local(trainer, "LOCAL" in str(getattr(trainer, "training_mode", "")))
    by_name = isinstance(inputs, str | Mapping)  # else Channel and InputData objects, which the SDK reads
    with _left_as_it_was(trainer):
        # its names, and with them the folders of its uploads, are those of the second: unique only with a base that is
        trainer.base_job_name = _unique(trainer.base_job_name)
        try:
            request = _request_of_trainer(trainer, None if by_name else inputs)
        finally:
            if (folder := getattr(trainer, "_temp_code_dir", None)) is not None:
                folder.cleanup()
    if "EnableManagedSotTraining" in request:  # a slip in some versions of the SDK
        request["EnableManagedSpotTraining"] = request.pop("EnableManagedSotTraining")
    _add_channels(request, inputs if by_name else None)
    session = trainer.sagemaker_session
    # As the SDK itself would. Its drivers in the container read all text as JSON, twice: "1e3" reaches scripts as 1000.0
    return _made(request, as_text, getattr(session, "sagemaker_client", None), session.boto_session)


def _request_of_trainer(trainer: Any, inputs: Any) -> dict[str, Any]:
    build = getattr(trainer, "_create_training_job_args", None)
    if build is not None and "boto3" in inspect.signature(build).parameters:
        request: dict[str, Any] = build(input_data_config=inputs, boto3=True)
        return request
    # The SDK keeps its clients in a module of its own; it is loaded, as the trainer is there.
    clients = sys.modules["sagemaker.core.utils.utils"].SageMakerClient
    client = clients(session=trainer.sagemaker_session.boto_session).sagemaker_client
    with _intercepted(client, trainer.base_job_name) as captured:
        trainer.train(input_data_config=inputs, wait=False, logs=False)
    return _only(captured, trainer)


def _made(request: dict[str, Any], encode: Callable[[Any], str], client: Any = None, session: Any = None) -> Template:
    request.pop("TrainingJobName", None)
    _check(request)
    return Template(request, encode, client, session)


# ---- asking an SDK for its request


class _Captured(BaseException):
    """The request is known, and must not be sent. No `Exception`: the SDKs catch those, and report them to AWS."""


@contextmanager
def _intercepted(client: Any, name: str) -> Iterator[list[dict[str, Any]]]:
    """Catch the request of the job whose name begins with `name` on its way out; others pass."""
    captured: list[dict[str, Any]] = []

    def catch(params: dict[str, Any], **_: Any) -> None:
        if str(params.get("TrainingJobName", "")).startswith(name):
            captured.append(copy.deepcopy(params))
            raise _Captured

    client.meta.events.register_first(EVENT, catch)
    try:
        yield captured
    except _Captured:
        pass
    finally:
        client.meta.events.unregister(EVENT, catch)


def _only(captured: list[dict[str, Any]], source: Any) -> dict[str, Any]:
    if not captured:
        raise UsageError(
            f"{type(source).__name__} did not ask for a training job; it needs a plain session, not one for pipelines"
        )
    return captured[0]


@contextmanager
def _left_as_it_was(source: Any) -> Iterator[None]:
    """Undo what `fit` and `train` note in the estimator and in the settings it holds: names, paths, jobs."""
    owners = [source, *(value for value in vars(source).values() if _is_setting(value))]
    before = [(owner, dict(vars(owner)), dict(_private_of(owner))) for owner in owners]
    values = [value for _, *states in before for state in states for value in state.values()]
    dicts = [(value, dict(value)) for value in values if type(value) is dict]
    lists = [(value, list(value)) for value in values if type(value) is list]
    try:
        yield
    finally:
        for owner, public, private in before:  # asked again: pydantic replaces the dicts
            _reset(vars(owner), public)
            _reset(_private_of(owner), private)
        for named, content in dicts:
            _reset(named, content)
        for listed, items in lists:
            listed[:] = items


def _reset(state: dict[str, Any], content: Mapping[str, Any]) -> None:
    for name in [name for name in state if name not in content]:
        del state[name]
    state.update(content)


def _is_setting(value: Any) -> bool:
    """Return whether `value` is an object of the SDK's own, and no session."""
    ours = type(value).__module__.startswith("sagemaker") and hasattr(value, "__dict__")
    return ours and not hasattr(value, "boto_session")


def _private_of(owner: Any) -> dict[str, Any]:
    """Return the private attributes of a pydantic model, which it keeps apart."""
    private: dict[str, Any] = getattr(owner, "__pydantic_private__", None) or {}
    return private


def _unique(base: Any) -> str:
    """Return a name that no other template has, so that none overwrites the script of another, whose jobs still run."""
    readable = re.sub(r"[^a-zA-Z0-9]+", "-", str(base or "evohpo"))[:35].strip("-")
    return f"{readable or 'evohpo'}-{uuid.uuid4().hex[:12]}"


def _refuse_local(source: Any, local: bool) -> None:
    if local:
        raise UsageError(
            f"{type(source).__name__} trains on this machine; give it an instance type of SageMaker, or tune the script with "
            "an objective of your own"
        )


# ---- the request


def _add_channels(request: dict[str, Any], inputs: Any) -> None:
    """Put `inputs` into InputDataConfig."""
    if inputs is None:
        return
    channels = {c["ChannelName"]: c for c in request.get("InputDataConfig") or ()}
    for name, uri in ({"training": inputs} if isinstance(inputs, str) else _by_name(inputs)).items():
        if not isinstance(uri, str) or not uri.startswith("s3://"):
            raise IllegalValue(f"inputs[{name!r}]", uri, "must be an S3 URI such as 's3://bucket/folder'")
        source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
        channels[name] = {"ChannelName": name, "DataSource": {"S3DataSource": source}}
    request["InputDataConfig"] = list(channels.values())


def _by_name(inputs: Any) -> Mapping[str, Any]:
    if not isinstance(inputs, Mapping):
        raise UsageError(f"inputs of a {type(inputs).__name__}: with a request, give a dict of S3 URIs by channel")
    return inputs


def _check(request: Mapping[str, Any]) -> None:
    """Check that a request is complete and of the form that the API knows.

    Raises:
        UsageError: names everything that is missing, unknown or of a wrong type.
    """
    needed = (
        () if "ServerlessJobConfig" in request else NEEDED
    )  # where there are no instances, there is nothing to say of them
    algorithm = request.get("AlgorithmSpecification") or {}
    missing = [name for name in needed if not request.get(name)]
    if algorithm and not {"TrainingImage", "AlgorithmName"} & set(algorithm):
        missing.append("AlgorithmSpecification.TrainingImage")
    if missing:
        raise UsageError(
            f"the training job lacks {', '.join(missing)}; see create_training_job in the reference of boto3"
        )
    validator, shape = _form()
    report = validator.validate({**request, "TrainingJobName": "template"}, shape)
    if report.has_errors():
        raise UsageError(f"the training job is of a wrong form: {'; '.join(report.generate_report().splitlines())}")


@cache
def _form() -> tuple[Any, Any]:
    """Return the validator of boto3, and the form of a request according to the model of the API that comes with it."""
    try:
        from botocore.loaders import create_loader
        from botocore.model import ServiceModel
        from botocore.validate import ParamValidator
    except ImportError as error:
        raise UsageError("SageMaker needs boto3: pip install evohpo[sagemaker]") from error
    model = ServiceModel(create_loader().load_service_model("sagemaker", "service-2"), "sagemaker")
    return ParamValidator(), model.operation_model("CreateTrainingJob").input_shape
