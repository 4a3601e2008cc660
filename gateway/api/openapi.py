"""What /openapi.json says beyond the routes' signatures: the order's schema, and that every failure is a problem."""

from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from gateway.order import Addition, Order, Refund

_SCHEMAS: Final = "#/components/schemas/"


def schema_ref(name: str) -> str:
    """Where a schema stands in the description."""
    return f"{_SCHEMAS}{name}"


_FINDING: Final = {
    "type": "object",
    "description": "A broken rule, as in the answer's findings; `order_field` is the field to mend.",
}
_FIELD: Final = {"type": "object", "properties": {"field": {"type": "string"}, "message": {"type": "string"}}}
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457. `fix` says how to mend it.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "detail_ar": {"type": "string", "description": "`detail` and `fix` in Arabic, where an accountant reads it."},
        "fix": {"type": "string"},
        "problems": {"type": "array", "items": _FIELD, "description": "Each field that cannot be used, and why."},
        "findings": {"type": "array", "items": _FINDING, "description": "The rules that the document would break."},
    },
}
_AS_PROBLEM: Final = {"application/problem+json": {"schema": {"$ref": schema_ref("Problem")}}}


def problem_because(reason: str) -> dict[str, Any]:
    """How a route describes one of its failures."""
    return {"description": reason, "content": _AS_PROBLEM}


PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": problem_because("It cannot be done so: the problem says why and what to do"),
    "5XX": problem_because("It cannot be done now; nothing is half done. 503 has Retry-After"),
}
"""What every call can answer."""


def complete(app: FastAPI, *bodies: type[BaseModel]) -> None:
    """Have the app describe itself with the schemas that no signature names: those of orders and notes, and these."""
    describe = app.openapi

    def completed() -> dict[str, Any]:
        described = describe()
        described.setdefault("components", {}).setdefault("schemas", {}).update(_schemas(bodies))
        return described

    app.openapi = completed  # type: ignore[method-assign]


def _schemas(bodies: Iterable[type[BaseModel]]) -> dict[str, Any]:
    described: dict[str, Any] = {"Problem": _PROBLEM}
    models: tuple[type[BaseModel], ...] = (Order, Refund, Addition, *bodies)
    for model in models:
        schema = model.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
        described |= schema.pop("$defs", {})
        described[model.__name__] = schema
    return described
