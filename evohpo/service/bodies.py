"""What is sent and answered, as the OpenAPI document shows it."""

# no `from __future__ import annotations`: the types are read when the program runs

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

LARGEST_STEP = 2**53  # whole numbers up to here are the same in every language
SHORT, LONG = 200, 20_000  # characters
METRICS = 1000


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a character (a lone surrogate) cannot be stored") from None
    return text


def _whole(value: Any) -> Any:
    """Return 3.0 as 3: some languages have no other way to write it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _metric(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > 1000:
            raise ValueError("a metric that is text has at most 1000 characters")
        return _encodable(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number, or a short text for a metric that is no objective")
    try:
        float(value)
    except OverflowError:
        raise ValueError("is too large for a number") from None
    return value


Whole: TypeAlias = Annotated[int, BeforeValidator(_whole)]
Short: TypeAlias = Annotated[str, Field(max_length=SHORT), AfterValidator(_encodable)]
Long: TypeAlias = Annotated[str, Field(max_length=LONG), AfterValidator(_encodable)]
Metric: TypeAlias = Annotated[
    Any,
    BeforeValidator(_metric),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": -1e308, "maximum": 1e308}, {"type": "string", "maxLength": 1000}]}
    ),
]
Metrics: TypeAlias = Annotated[dict[Short, Metric], Field(max_length=METRICS)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class Body(BaseModel):
    """What workers send; fields that there are not are refused, for they are misspelt."""

    model_config = ConfigDict(extra="forbid", strict=True)


class AskBody(Body):
    """A request for trials."""

    n: Whole = Field(1, ge=1, le=1000, description="At most so many.")
    worker: Short = Field("", description="The worker's name, for the table.")
    request: Short = Field("", description="Any text that no other request has: sent again, it gets the same trials.")
    wait: float = Field(1.0, ge=0, le=30, description="Seconds to wait for one while there is none.")


class ReportBody(Body):
    """What a trial measured at a step."""

    lease: Short
    step: Whole = Field(ge=1, le=LARGEST_STEP, description="From 1 on and growing.")
    metrics: Metric | Metrics = Field(description="By name; or a number, where there is a single objective.")


class TellBody(Body):
    """How a trial ended: metrics, or an error; neither where the last report is the result."""

    lease: Short
    metrics: Metric | Metrics | None = Field(None, description="By name; or a number, where there is one objective.")
    error: Long | None = Field(None, description="Why there is no result.")
    traceback: Long = ""
    seconds: Seconds | None = Field(None, description="How long it took; by default, since the lease was given.")


class LeaseBody(Body):
    """A sign of life."""

    lease: Short


class GivenTrial(BaseModel):
    """A trial to evaluate."""

    lease: str = Field(description="To be sent with all that is said of the trial.")
    number: int
    params: dict[str, Any]
    step: int = Field(
        description="The last step that is known; go on after it, or begin anew: known steps are passed over."
    )
    seed: int
    directory: str | None = Field(description="The trial's folder, where server and worker share a disk.")
    resources: dict[str, Any]
    seconds: float = Field(description="Silence for so long ends the lease.")


class Given(BaseModel):
    """Trials, or when to ask again, or that the study is over."""

    trials: list[GivenTrial]
    done: bool = Field(description="The study is over; do not ask again.")
    retry_after: float | None = Field(description="Seconds after which to ask again, where there is no trial now.")
    reason: dict[str, Any] | None = Field(description="Why the study is over.")


class Decided(BaseModel):
    """Whether a trial goes on; after stop and pause it is over for this worker."""

    decision: Literal["continue", "stop", "pause"]


class Told(BaseModel):
    """What became of a trial."""

    status: str
    error: str


class Row(BaseModel):
    """A trial of the table."""

    number: int
    generation: int
    status: str
    params: dict[str, Any]
    metrics: dict[str, Any]
    violation: float | None
    steps: int
    seconds: float
    worker: str
    error: str
    label: str


class Rows(BaseModel):
    """A page of the table."""

    total: int
    offset: int
    trials: list[Row]


class StudyState(BaseModel):
    """Where a study stands."""

    name: str
    optimizer: str
    seed: int
    goals: dict[str, list[str]]
    space: dict[str, Any]
    trials: int
    counts: dict[str, int]
    best: Row | None
    front: list[int] = Field(description="Numbers of the feasible trials that no other one dominates.")
    seconds: float


class Wrong(BaseModel):
    """A field that was refused."""

    field: str
    message: str


class Problem(BaseModel):
    """Problem details, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Wrong] = []
