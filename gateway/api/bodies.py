"""Bodies that are read in their routes, so that a caller without a key learns nothing of them but 401."""

from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from gateway.api.openapi import schema_ref

B = TypeVar("B", bound=BaseModel)


async def read_body(request: Request, model: type[B]) -> B:
    """What the body says; RequestValidationError, without what stood in it, lists what is wrong."""
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        wrong = [{"loc": ("body", *each["loc"]), "msg": each["msg"]} for each in error.errors(include_input=False)]
    raise RequestValidationError(wrong)


def described(model: type[BaseModel]) -> dict[str, Any]:
    """What a route says of its body in OpenAPI."""
    schema = {"$ref": schema_ref(model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
