"""One machine follows many paths, and what a document invents costs it nothing."""

import pytest

from gateway.rules.places import Machine, Path

PATHS = (
    Path(("Invoice",), from_root=True),
    Path(("Line", "ID"), from_root=False),
    Path(("*", "Total", "Amount"), from_root=True),
    Path(("Line", "Line", "ID"), from_root=False),
    Path(("ID",), from_root=False),
)


def ends(*tags: str) -> list[int]:
    place = Machine(PATHS, list).start
    for tag in tags:
        place = place[tag]
    return list(place.meaning)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (("Invoice",), [0]),
        (("Invoice", "Invoice"), []),
        (("ID",), [4]),
        (("Invoice", "ID"), [4]),
        (("Invoice", "Line", "ID"), [1, 4]),
        (("Invoice", "Line", "Line", "ID"), [1, 3, 4]),
        (("Invoice", "Line", "Item", "ID"), [4]),
        (("Invoice", "Total", "Amount"), [2]),
        (("Other", "Total", "Amount"), [2]),
        (("Invoice", "Line", "Total", "Amount"), []),
        (("Total", "Amount"), []),
    ],
)
def test_the_paths_that_lead_to_an_element(tags: tuple[str, ...], expected: list[int]) -> None:
    assert ends(*tags) == expected


def test_what_a_place_means_is_decided_once() -> None:
    asked: list[list[int]] = []

    def decide(ends: object) -> int:
        asked.append(list(ends))  # type: ignore[call-overload]
        return len(asked)

    start = Machine(PATHS, decide).start
    first = start["Invoice"]["Line"]["ID"]
    assert start["Invoice"]["Line"]["ID"] is first
    assert start["Other"]["Line"]["ID"] is first
    before = len(asked)
    for depth in range(100):
        start["Invoice"][f"Invented{depth}"]
    assert len(asked) <= before + 1


def test_invented_names_are_not_remembered_for_ever() -> None:
    start = Machine(PATHS, list).start
    for number in range(5000):
        assert start[f"x{number}"].meaning == []
    assert len(start) <= 1000
