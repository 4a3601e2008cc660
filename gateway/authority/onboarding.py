"""The certificates the authority hands out (CSIDs), and its refusals in words that say what to do."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from gateway.authority import answers
from gateway.authority.answers import Answer
from gateway.errors import BadInput, Unavailable
from gateway.finding import Text


@dataclass(frozen=True)
class Credentials:
    """A CSID: the name (`token`, exactly as it came) and password (`secret`) of every later call.

    `is_compliance` tells the first kind, which opens nothing but the compliance check and the request for the
    production CSID, from the second, which reports and clears. A renewal may answer with either.
    """

    request_id: str
    token: str
    secret: str = field(repr=False)
    disposition: str
    is_compliance: bool

    @cached_property
    def certificate(self) -> bytes:
        """Base64 text of the certificate's DER, one line: what ds:X509Certificate holds."""
        return base64.b64decode(self.token, validate=True)

    @property
    def certificate_der(self) -> bytes:
        """The certificate itself."""
        return base64.b64decode(self.certificate, validate=True)


Reason = Literal["otp", "csr", "steps", "csid", "credentials", "other"]
"""What the authority refuses: the one-time password, the request, missing compliance checks, the CSID that a call
names, the credentials of the call, or anything else."""


class Refusal(BadInput):
    """The authority's own "no" to a request for a certificate; `reason` says to what."""

    def __init__(self, what: str, *, reason: Reason, fix: str = "", ar: str = "") -> None:
        super().__init__(what, fix=fix, ar=ar)
        self.reason = reason


def credentials_of(status: int, headers: Mapping[str, str], body: bytes, *, is_compliance: bool) -> Credentials:
    """What an answer to a request for a CSID grants.

    Refusal if the authority refuses what was handed in, Unavailable if it gives no answer that can be used.
    """
    answer = answers.read(body)
    if status in (200, 428) and (granted := _granted(answer, is_compliance=is_compliance or status == 428)):
        return granted
    if status == 401:
        raise Refusal(
            "The authority does not accept the credentials (HTTP 401).",
            reason="credentials",
            fix="They may belong to another environment or be revoked: onboard the unit again.",
            ar="لا تقبل الهيئة بيانات الاعتماد؛ قد تكون لبيئة أخرى أو ملغاة: أعد تسجيل الوحدة.",
        )
    # A refusal may hide in a success: NOT_COMPLIANT with an empty token and a list of errors.
    if status in (200, 400, 428) and answer.messages:
        raise _refusal(answer)
    raise Unavailable(
        f"The authority gave no usable answer to the request for a certificate (HTTP {status}). {answer.text}".strip(),
        retry_after=answers.retry_after(headers) or 30.0,
        fix="Try again; if it stays so, check the authority's address (GATEWAY_AUTHORITY_URL).",
        ar="لم تصل من الهيئة إجابة صالحة لطلب الشهادة؛ حاول مرة أخرى.",
    )


def _granted(answer: Answer, *, is_compliance: bool) -> Credentials | None:
    """The CSID in an answer; None without a token that holds a certificate, a secret and a request id."""
    fields = answer.fields or {}
    token, secret, request_id = (fields.get(name) for name in ("binarySecurityToken", "secret", "requestID"))
    if not (isinstance(token, str) and isinstance(secret, str) and token and secret):
        return None
    if not isinstance(request_id, int | str):
        return None
    granted = Credentials(
        request_id=str(request_id),
        token=token,
        secret=secret,
        disposition=answer.word("dispositionMessage"),
        is_compliance=is_compliance,
    )
    try:
        is_certificate = granted.certificate_der.startswith(b"\x30")
    except binascii.Error:
        return None
    return granted if is_certificate else None


_OTP = Text(
    "Take a new OTP from the Fatoora portal; it holds for one hour and for one use.",
    "احصل على رمز تحقق جديد من بوابة فاتورة؛ صلاحيته ساعة واحدة ولاستخدام واحد.",
)
_CSR = Text(
    "Make a new key and CSR for the unit, for this environment, and check VAT number, serial and invoice types.",
    "أنشئ مفتاحًا وطلب شهادة جديدين للوحدة لهذه البيئة وتحقق من الرقم الضريبي والرقم التسلسلي وأنواع الفواتير.",
)
_CSID = Text(
    "Onboard the unit again from its first step.",
    "أعد تسجيل الوحدة من الخطوة الأولى.",
)
_STEPS = Text(
    "Run the compliance check for the documents named, then ask for the production certificate again.",
    "نفّذ فحص الامتثال للمستندات المذكورة ثم اطلب شهادة الإنتاج من جديد.",
)
_OTHER = Text(
    "Correct what the message names and onboard the unit again.",
    "صحّح ما تذكره الرسالة وأعد تسجيل الوحدة.",
)

# By a word of the code, for its ending and its case vary from answer to answer.
_FIXES: Final[tuple[tuple[str, Reason, Text], ...]] = (
    ("otp", "otp", _OTP),
    ("csr", "csr", _CSR),
    ("compliancestep", "steps", _STEPS),
    ("csid", "csid", _CSID),
)


def _refusal(answer: Answer) -> Refusal:
    codes = " ".join(f"{message.code} {message.category}" for message in answer.messages).lower()
    fallback: tuple[Reason, Text] = ("other", _OTHER)
    reason, fix = next(((reason, text) for word, reason, text in _FIXES if word in codes), fallback)
    return Refusal(
        f"The authority refuses the certificate: {answer.text}.",
        reason=reason,
        fix=fix.en,
        ar=f"رفضت الهيئة إصدار الشهادة. {fix.ar}",
    )
