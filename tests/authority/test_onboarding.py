"""Certificates and refusals, in every shape they were seen in."""

import base64
import json
from typing import Any

import pytest

from gateway.authority.onboarding import credentials_of
from gateway.errors import BadInput, Unavailable

DER = b"\x30\x03\x02\x01\x05"
CERTIFICATE = base64.b64encode(DER)
TOKEN = base64.b64encode(CERTIFICATE).decode()
ISSUED = {
    "requestID": 1234567890123,
    "dispositionMessage": "ISSUED",
    "binarySecurityToken": TOKEN,
    "secret": "s3cret",
}


def _body(fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_a_certificate_that_is_granted() -> None:
    credentials = credentials_of(200, {}, _body(ISSUED), is_compliance=True)
    assert (credentials.request_id, credentials.token, credentials.secret) == ("1234567890123", TOKEN, "s3cret")
    assert (credentials.certificate, credentials.certificate_der) == (CERTIFICATE, DER)
    assert credentials.is_compliance
    assert "s3cret" not in repr(credentials)


def test_a_request_id_may_be_text() -> None:
    assert credentials_of(200, {}, _body(ISSUED | {"requestID": "77"}), is_compliance=False).request_id == "77"


@pytest.mark.parametrize("wrap", [lambda fields: fields, lambda fields: {"value": fields}])
def test_a_renewal_with_compliance_still_due_carries_a_compliance_certificate(wrap: Any) -> None:
    fields = ISSUED | {"dispositionMessage": "NOT_COMPLIANT", "tokenType": None, "errors": None}
    credentials = credentials_of(428, {}, _body(wrap(fields)), is_compliance=False)
    assert credentials.is_compliance
    assert credentials.disposition == "NOT_COMPLIANT"
    assert not credentials_of(200, {}, _body(ISSUED), is_compliance=False).is_compliance


@pytest.mark.parametrize(
    ("fields", "said", "fix"),
    [
        ({"errors": [{"code": "Missing-OTP", "message": "OTP is required field"}]}, "Missing-OTP: OTP is", "OTP"),
        ({"errors": [{"code": "Invalid-OTP", "message": "The provided OTP is invalid"}]}, "Invalid-OTP", "OTP"),
        ({"code": "Invalid-OTP", "message": "expired"}, "Invalid-OTP: expired", "OTP"),
        ({"errors": [{"code": "Missing-CSR", "message": "CSR is required field"}]}, "Missing-CSR", "new key"),
        ({"errorCode": "400", "errorCategory": "Invalid-CSR", "errorMessage": "RSA"}, "Invalid-CSR: RSA", "new key"),
        ({"errors": [{"code": "Missing-ComplianceSteps", "message": "[x]"}]}, "[x]", "compliance check"),
        ({"code": "Invalid-CurrentCCSID", "message": "no"}, "Invalid-CurrentCCSID", "first step"),
        ({"errors": ["Invoice type is wrong"]}, "Invoice type is wrong", "Correct"),
        (
            {
                "requestID": -1,
                "dispositionMessage": "NOT_COMPLIANT",
                "binarySecurityToken": "",
                "secret": "",
                "errors": ["Invoice type is wrong"],
            },
            "Invoice type is wrong",
            "Correct",
        ),
    ],
)
@pytest.mark.parametrize("status", [400, 200])
def test_a_refusal_says_what_the_authority_said_and_what_to_do(fields: Any, said: str, fix: str, status: int) -> None:
    with pytest.raises(BadInput) as refused:
        credentials_of(status, {}, _body(fields), is_compliance=True)
    assert said in refused.value.what
    assert fix in refused.value.fix
    assert refused.value.ar


def test_wrong_credentials_are_said_so() -> None:
    with pytest.raises(BadInput, match="401"):
        credentials_of(401, {}, b"", is_compliance=False)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, _body(ISSUED | {"binarySecurityToken": "%%%"})),
        (200, _body(ISSUED | {"binarySecurityToken": base64.b64encode(b"text").decode()})),
        (200, _body(ISSUED | {"secret": None})),
        (200, _body(ISSUED | {"requestID": None})),
        (400, b"<html>"),
        (404, b"<html>"),
        (429, b""),
        (500, _body({"code": "500", "message": "wrong"})),
        (503, b"<html>"),
    ],
)
def test_an_answer_that_is_of_no_use_is_no_refusal(status: int, body: bytes) -> None:
    with pytest.raises(Unavailable, match=str(status)) as unavailable:
        credentials_of(status, {"Retry-After": "9"}, body, is_compliance=True)
    assert unavailable.value.retry_after == 9.0
