"""Requests made from the OpenAPI document, right and wrong ones, are never answered with a 500, and always as documented."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.service.conftest import Service, make_study

OPERATIONS = [
    ("POST", "/api/v1/ask"), ("POST", "/api/v1/report"), ("POST", "/api/v1/tell"), ("POST", "/api/v1/heartbeat"),
    ("GET", "/api/v1/study"), ("GET", "/api/v1/trials"),
]  # fmt: skip
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def service():
    service = Service(make_study(duplicates="evaluate"))
    service.post("tell", lease=service.take()["lease"], metrics=1.0)  # else many failures would end the study
    yield service
    service.end()


@pytest.fixture(scope="module")
def schema(service):
    return schemathesis.openapi.from_url(f"{service.url}api/v1/openapi.json")


def test_the_openapi_document_is_valid(schema):
    schema.validate()
    assert {(method.upper(), path) for path in schema for method in schema[path]} == set(OPERATIONS)


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_is_answered_with_a_500(service, schema, method, path, mode):
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and path.endswith("study"):
        pytest.skip("there is nothing to get wrong")

    @given(case=operation.as_strategy(generation_mode=mode), held=st.booleans())
    @settings(max_examples=40, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    def check(case, held):
        checks = [*CHECKS, positive_data_acceptance, negative_data_rejection]
        if held and isinstance(case.body, dict) and "lease" in case.body:
            case.body = case.body | {"lease": service.take()["lease"]}
            checks = CHECKS  # whether it is right or wrong has changed
        case.validate_response(case.call(), checks=checks)

    check()
