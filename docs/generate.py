"""Writes into docs/reference what the code decides: commands, settings, limits, statuses, roles and rules.

    python docs/generate.py

A part between `<!-- generated: NAME -->` and `<!-- end -->` is written anew. Of a table after `<!-- table: NAME -->`
the code decides the rows and the columns whose heads are in italics; the other columns are written by hand and kept.
A test compares the pages with what this would write.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from fastapi.routing import APIRoute

from gateway import errors, simulator
from gateway.__main__ import gateway
from gateway.api.access import RIGHTS
from gateway.api.app import ROOMS
from gateway.api.problems import STATUS
from gateway.finding import RuleSet
from gateway.order import Order
from gateway.rules.r3_4_8 import BOOK
from gateway.settings import Settings
from gateway.verifier import CODES

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs import rule_pages

REFERENCE: Final = Path(__file__).parent / "reference"
_WIDTH: Final = 110

Row = dict[str, str]
"""A table's row by the heads of its columns."""


# -- parts written whole --------------------------------------------------------------------------------------


def commands() -> str:
    """The help of every command."""
    return "\n\n".join(f"## `{path}`\n\n```text\n{_help(command, path)}\n```" for path, command in every_command())


def every_command(group: click.Group = gateway, path: str = "gateway") -> Iterator[tuple[str, click.Command]]:
    """The commands with their full names; of groups, what is in them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}")
        elif command is not None:
            yield f"{path} {name}", command


def _help(command: click.Command, path: str) -> str:
    context = click.Context(
        command, info_name=path, terminal_width=_WIDTH, max_content_width=_WIDTH, help_option_names=["-h", "--help"]
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def settings() -> str:
    """Every setting."""
    rows = [
        {
            "setting": f"`GATEWAY_{name.upper()}`",
            "default": f"`{field.default}`" if field.default not in ("", None) else "",
            "meaning": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
    return _table(rows)


def rules() -> str:
    """How many rules are judged of each set, and where they are told."""
    return _table([{"set": f"`{each.value}`", "judged": _judged(each)} for each in RuleSet])


def _judged(rule_set: RuleSet) -> str:
    if rule_set is RuleSet.XSD:
        return "the whole UBL 2.1 schema; every breach under the code `XSD_ZATCA_INVALID`"
    declared = sum(rule.set is rule_set for rule in BOOK.rules)
    codes = declared or len(rule_pages.stamp_codes(rule_set))
    return f"{codes} rule{'s' if codes > 1 else ''}"


def faults() -> str:
    """Every named fault of the simulator."""
    rows = [
        {
            "name": f"`{row.name}`",
            "what comes": row.meaning,
            "at": " ".join(f"`{path}`" for path in sorted(row.fault.paths)) or "every call",
            "by chance": "yes" if row.is_survivable else "on request",
        }
        for row in simulator.CATALOGUE.values()
    ]
    return _table(rows)


# -- tables whose words are written by hand -------------------------------------------------------------------


def order_fields(model: str) -> list[Row]:
    """The fields of a part of the order, with what they take."""
    schema = Order.model_json_schema()
    part = schema if model == "Order" else schema["$defs"][model]
    required = part.get("required", [])
    return [
        {"field": f"`{name}`", "*takes*": _takes(field, schema) + ("; required" if name in required else "")}
        for name, field in part["properties"].items()
    ]


def order_models() -> list[str]:
    """The parts of an order that have fields."""
    parts = Order.model_json_schema()["$defs"]
    return ["Order", *(name for name, part in parts.items() if "properties" in part)]


def _takes(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        part = schema["$defs"][name]
        shown = f"[{name}](#{name.lower()})" if "properties" in part else _one_of(part["enum"])
        return shown + _default(field)
    if "anyOf" in field:
        options = [option for option in field["anyOf"] if option.get("type") != "null"]
        if {option.get("type") for option in options} == {"number", "string"}:
            return "decimal string" + _bounds(field) + _default(field)
        return ", or ".join(_takes(option, schema) for option in options)
    if "enum" in field:
        return _one_of(field["enum"]) + _default(field)
    if field.get("type") == "array":
        most = f", at most {field['maxItems']:,}" if "maxItems" in field else ""
        least = f", at least {field['minItems']}" if "minItems" in field else ""
        return f"list of {_takes(field['items'], schema)}{least}{most}"
    return _text(field) + _default(field)


def _text(field: dict[str, Any]) -> str:
    if "pattern" in field:
        return f"text like `{field['pattern']}`".replace("|", "\\|")
    kinds = {"boolean": "true or false", "date": "date", "date-time": "moment with its zone (RFC 3339)"}
    kind = kinds.get(field.get("format", field.get("type", "")), "text")
    if "maxLength" in field:
        return f"text, {field.get('minLength', 0)} to {field['maxLength']} characters"
    return kind


def _bounds(field: dict[str, Any]) -> str:
    words = {"gt": "above {}", "ge": "from {}", "le": "to {}", "decimal_places": "at most {} decimals"}
    told = [key for key in words if key in field and not (key == "ge" and "gt" in field)]
    return "".join(f", {words[key].format(field[key])}" for key in told)


def _one_of(values: Iterable[str]) -> str:
    return " ".join(f"`{value}`" for value in values)


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return f"; default `{default}`" if isinstance(default, str) and default else ""


def error_classes() -> list[Row]:
    """Every error with its HTTP status; at the command line all of them end with exit status 2."""
    classes = (each for each in vars(errors).values() if inspect.isclass(each))
    found = (each for each in classes if issubclass(each, errors.GatewayError) and each is not errors.GatewayError)
    return [{"error": f"`{each.__name__}`", "*HTTP*": _status(each)} for each in found]


def _status(error: type[errors.GatewayError]) -> str:
    return next((f"{status} {title}" for kind, status, title in STATUS if issubclass(error, kind)), "")


def routes() -> list[Row]:
    """Every route with the roles that may call it."""
    found = (route for room in ROOMS for route in room.router.routes if isinstance(route, APIRoute))
    return [{"route": f"`{min(each.methods)} {each.path_format}`", "*roles*": _roles(each)} for each in found]


def _roles(route: APIRoute) -> str:
    for dependency in route.dependant.dependencies:
        rights = inspect.getclosurevars(dependency.call).nonlocals if dependency.call else {}
        if "right" in rights:
            return ", ".join(sorted(role.value for role in RIGHTS[rights["right"]]))
    return "no key"


def management() -> list[Row]:
    """Every route of the simulator's management port."""
    found = (route for route in simulator.create().management.routes if isinstance(route, APIRoute))
    return [{"route": f"`{min(each.methods)} {each.path_format}`"} for each in found]


def package_faults() -> list[Row]:
    """Everything the verifier of packages can find wrong."""
    return [{"*code*": f"`{code}`", "*means*": text} for code, text in CODES.items()]


# -- writing --------------------------------------------------------------------------------------------------

PARTS: Final[dict[str, Callable[[], str]]] = {
    "commands": commands,
    "settings": settings,
    "rules": rules,
    "faults": faults,
}
TABLES: Final[dict[str, Callable[[], list[Row]]]] = {
    "errors": error_classes,
    "routes": routes,
    "management": management,
    "faults of packages": package_faults,
    **{f"order {model}": (lambda model=model: order_fields(model)) for model in order_models()},
}


def renewed(page: str) -> str:
    """The text of a page with all that the code decides as it is now."""
    part = r"(<!-- generated: ([\w ]+) -->\n).*?(<!-- end -->)"
    page = re.sub(part, lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[3]}", page, flags=re.S)
    table = r"(<!-- table: ([\w ]+) -->\n\n)((?:\|.*\n)+)"
    return re.sub(table, lambda found: f"{found[1]}{_merged(found[3], TABLES[found[2]]())}\n", page)


def _merged(written: str, decided: list[Row]) -> str:
    """The decided rows, with the words that the written table has for them."""
    head, _, *body = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in written.splitlines())
    known = {cells[0]: dict(zip(head, cells, strict=True)) for cells in body}
    return _table([dict.fromkeys(head, "") | known.get(row[head[0]], {}) | row for row in decided])


def _table(rows: list[Row]) -> str:
    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([row[name] for name in head] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main() -> None:
    """Write the pages."""
    for page in sorted(REFERENCE.glob("*.md")):
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
    rule_pages.write()


if __name__ == "__main__":
    main()
