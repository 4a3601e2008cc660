"""The answers and requests that the authority publishes as examples, and the schemas it gives for them (OpenAPI)."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

COUNTS = {"clearance": 13, "reporting": 15, "renewal": 11}
"""Examples of answers in each file."""

_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


class Published(NamedTuple):
    """One example of an answer; `schema` is None where the file gives none, `schemas` are the file's named ones."""

    status: int
    media_type: str
    value: Any
    schema: Mapping[str, Any] | None
    schemas: Mapping[str, Any]

    @property
    def body(self) -> bytes:
        """As it would come over the wire."""
        return self.value.encode() if isinstance(self.value, str) else json.dumps(self.value).encode()

    @property
    def answer(self) -> Any:
        """The answer itself: one example stands within a "value" of its own."""
        return self.value["value"] if isinstance(self.value, dict) and list(self.value) == ["value"] else self.value

    def breaches(self, value: Any) -> list[str]:
        """Where a value is not as the schema of this answer says."""
        return list(_breaches(value, self.schema or {}, self.schemas, "answer"))


def operation(shared: Path, api: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The one operation of a file, and the file's named schemas."""
    file = json.loads((shared / "vectors" / "openapi" / f"{api}-api_openapi.json").read_text())
    ((found,),) = (path.values() for path in file["paths"].values())
    return found, file["components"]["schemas"]


def examples(shared: Path, api: str) -> Iterator[tuple[str, Published]]:
    """Every example of an answer, under its file, status and name."""
    found, schemas = operation(shared, api)
    for status, response in found["responses"].items():
        for media_type, content in response.get("content", {}).items():
            for name, example in _named(content).items():
                published = Published(int(status), media_type, example["value"], content.get("schema"), schemas)
                yield f"{api} {status} {name}".rstrip(), published


def example(shared: Path, name: str) -> Published:
    """The one of this name."""
    return dict(examples(shared, name.partition(" ")[0]))[name]


def request(shared: Path, api: str) -> Any:
    """The body of the request that is published beside the answers."""
    found, _ = operation(shared, api)
    (content,) = found["requestBody"]["content"].values()
    (only,) = _named(content).values()
    return only["value"]


def _named(content: Mapping[str, Any]) -> Mapping[str, Any]:
    unnamed = {"": {"value": content.get("example")}}
    return content.get("examples") or unnamed


def _breaches(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any], where: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if value is None and schema.get("nullable"):
        return
    kind = schema.get("type")
    if kind and not isinstance(value, _KINDS[kind]):
        yield f"{where} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is none of {schema['enum']}"
    if isinstance(value, dict):
        # An object with "items" means the one schema that is named there.
        if "items" in schema:
            yield from _breaches(value, schema["items"], schemas, where)
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from _breaches(value[name], inner, schemas, f"{where}.{name}")
        yield from (f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _breaches(inner, schema.get("items", {}), schemas, f"{where}[{place}]")
