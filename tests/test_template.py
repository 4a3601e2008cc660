"""Templates: what they write is canonical, what they refuse they refuse at compile time and in plain words."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Misconfigured
from gateway.template import (
    Template,
    as_amount,
    as_date,
    as_number,
    as_price,
    as_rate,
    as_time,
    compile_template,
)
from gateway.xml import canonical, parse


@dataclass(frozen=True)
class Leaf:
    name: str = "leaf"
    weight: Decimal = Decimal("1.50")


@dataclass(frozen=True)
class Tree:
    name: str = "oak"
    leaves: tuple[Leaf, ...] = ()
    owner: Leaf | None = None
    planted: date = date(2026, 1, 2)
    rings: int = 7
    nicknames: tuple[str, ...] = ()
    looks: list[str] = field(default_factory=list, compare=False)

    @property
    def shout(self) -> str:
        self.looks.append("shout")
        return self.name.upper()

    @cached_property
    def weight(self) -> Decimal:
        return sum((leaf.weight for leaf in self.leaves), Decimal(0))


def compiled(body: str, **parameters: object) -> Template:
    source = f'<a xmlns="urn:a" xmlns:t="urn:gateway:template">{body}</a>'
    return compile_template(source.encode(), "tree.xml", **(parameters or {"tree": Tree}))


def filled(body: str, tree: Tree) -> str:
    """What a template writes, without its root's tags."""
    return compiled(body).write(tree=tree).removeprefix('<a xmlns="urn:a">').removesuffix("</a>")


anything = st.text(
    st.one_of(
        st.sampled_from("&<>\"'\r\n\t{}\\\u0085\u2028é]"),
        st.sampled_from("متجر ١٢٣ 😀"),
        st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"),
    )
)

EVERYWHERE = compile_template(
    b"""<?xml version="1.0"?>
<!-- not part of it -->
<r:root b='"{tree.name}"' a="&#9;{tree.shout}&#13;" z:q="1" xmlns:z="urn:y" xmlns:r="urn:r" y:q="2" xmlns:y="urn:z"
        xmlns:t="urn:gateway:template" xml:lang="ar">
    <empty/> text &amp; &lt;{tree.name}&gt; &#13; 'quoted" \\ back
    <leaf t:each="leaf in tree.leaves" xmlns="urn:leaf" k="{leaf.name}">{leaf.name}<!-- c -->
        <inner xmlns="urn:other" t:if="leaf.name">{leaf.name:text}</inner>
    </leaf>
    <owner t:if="tree.owner and tree.owner.name" n="{tree.owner.name}">{tree.owner.weight:amount}</owner>
</r:root>""",
    "everywhere.xml",
    tree=Tree,
)


@given(st.builds(Tree, anything, st.lists(st.builds(Leaf, anything)).map(tuple), st.none() | st.builds(Leaf, anything)))
def test_what_is_written_is_its_own_canonical_form_and_says_what_went_in(tree):
    written = EVERYWHERE.write(tree=tree).encode()
    root = parse(written)
    assert canonical(root) == written
    assert root.get("b") == f'"{tree.name}"'
    assert [leaf.get("k") for leaf in root.iterfind("{urn:leaf}leaf")] == [leaf.name for leaf in tree.leaves]
    assert [leaf.text for leaf in root.iterfind("{urn:leaf}leaf/{urn:other}inner")] == [
        leaf.name for leaf in tree.leaves if leaf.name
    ]


@given(st.sampled_from([*map(chr, [0, 8, 0x0B, 0x0C, 0x0E, 0x1F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF])]), anything)
def test_what_xml_cannot_hold_is_stopped(character, text):
    for place in ("<b>{tree.name}</b>", '<b k="{tree.name}"/>'):
        with pytest.raises(AssertionError, match="no XML document can hold"):
            compiled(place).write(tree=Tree(text + character + text))


def test_an_absent_element_takes_its_white_space_and_comments_along():
    body = """
    <b>{tree.name}</b> <!-- always -->
    <!-- only sometimes -->
    <c t:if="tree.owner">
        <d>{tree.owner.name}</d> <!-- the owner's -->
    </c>
    <e t:each="leaf in tree.leaves">{leaf.name}</e> <!-- many -->
    <f></f>
"""
    assert filled(body, Tree()) == "\n    <b>oak</b>\n    <f></f>\n"
    assert filled(body, Tree(owner=Leaf("me"), leaves=(Leaf("x"), Leaf("y")))) == (
        "\n    <b>oak</b>\n    <c>\n        <d>me</d>\n    </c>\n    <e>x</e>\n    <e>y</e>\n    <f></f>\n"
    )


def test_conditions_join_paths_by_and_or_by_or():
    both, either = '<b t:if="tree.owner and tree.leaves"/>', '<b t:if="tree.owner or tree.leaves"/>'
    one, two = Tree(owner=Leaf()), Tree(owner=Leaf(), leaves=(Leaf(),))
    assert [filled(both, tree) for tree in (Tree(), one, two)] == ["", "", "<b></b>"]
    assert [filled(either, tree) for tree in (Tree(), one, two)] == ["", "<b></b>", "<b></b>"]


def test_a_value_met_twice_is_computed_once():
    tree = Tree()
    assert filled("<b>{tree.shout}</b><c>{tree.shout}</c>", tree) == "<b>OAK</b><c>OAK</c>"
    assert tree.looks == ["shout"]


def test_a_variable_does_not_outlive_its_condition():
    body = '<b t:if="tree.owner">{tree.owner.name}{tree.owner.name}</b><c t:if="tree.owner">{tree.owner.name}</c>'
    assert filled(body, Tree(owner=Leaf("me"))) == "<b>meme</b><c>me</c>"
    assert filled(
        '<b t:each="leaf in tree.leaves">{leaf.name}{leaf.name}</b>', Tree(leaves=(Leaf("x"), Leaf("y")))
    ) == ("<b>xx</b><b>yy</b>")


def test_plain_strings_and_numbers_can_be_parameters_and_items():
    template = compiled("<b>{word} {count:count}</b>", word=str, count=int)
    assert template.write(word="x", count=3) == '<a xmlns="urn:a"><b>x 3</b></a>'
    assert filled('<b t:each="name in tree.nicknames">{name}</b>', Tree(nicknames=("p", "q"))) == "<b>p</b><b>q</b>"


def test_the_code_is_one_line_for_each_line_of_the_document():
    code = compiled('\n  <b k="it\'s">{tree.name}</b>\n').code
    assert code == (
        "def write(*, tree):\n"
        "    parts = []\n"
        "    add = parts.append\n"
        "    add(\n"
        "        f'<a xmlns=\"urn:a\">'\n"
        "        f'\\n  <b k=\"it\\'s\">{as_text(tree.name)}</b>'\n"
        "        f'\\n</a>'\n"
        "    )\n"
        '    return "".join(parts)\n'
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{tree.nam}", "`tree` is Tree, which has no `nam`"),
        ("{tre.name}", "there is no `tre` here; known: tree"),
        ("{tree.name.length}", "`tree.name` is str, which has no `length`"),
        ("{tree.owner.name}", '`tree.owner` may be absent: put it inside t:if="tree.owner"'),
        ('<b t:if="tree.owner or tree.leaves">{tree.owner.name}</b>', "may be absent"),
        ("{tree.name:amount}", "format `amount` writes Decimal, and `tree.name` is str"),
        ("{tree.weight}", "format `text` writes str, and `tree.weight` is Decimal"),
        ("{tree.owner}", "may be absent"),
        ("{tree.name:loud}", "there is no format `loud`; known: text, amount"),
        ("{tree.__class__}", "not of the form"),
        ("{tree.name.upper()}", "not of the form"),
        ("{tree.name or 1}", "not of the form"),
        ("{}", "not of the form"),
        ("{tree.name", "a brace without its partner"),
        ("tree.name}", "a brace without its partner"),
        ('<b t:if="tree.rings > 3"/>', "t:if takes paths"),
        ('<b t:if="tree.owner and tree.name or tree.leaves"/>', "t:if takes paths"),
        ('<b t:if="not tree.owner"/>', "t:if takes paths"),
        ('<b t:if="tree.owner.name"/>', "may be absent"),
        ('<b t:each="tree.leaves"/>', "t:each takes `name in path`"),
        ('<b t:each="c in tree.name"/>', "is no tuple"),
        ('<b t:each="tree in tree.leaves"/>', "already means something else"),
        ('<b t:each="class in tree.leaves"/>', "already means something else"),
        ('<b t:if="tree.owner" t:each="leaf in tree.leaves"/>', "not both"),
        ("<?php ?>", "only elements, texts and comments"),
        ('<b k="{tree.nam}"/>', "has no `nam`"),
    ],
)
def test_a_wrong_template_is_refused_in_plain_words(body, why):
    with pytest.raises(Misconfigured) as refused:
        compiled(f"\n\n<b>{body}</b>")
    assert why in refused.value.what
    assert refused.value.what.startswith("The template tree.xml is wrong in line 3: ")


def test_two_values_never_share_a_variable():
    with pytest.raises(Misconfigured, match="would stand for two things"):
        compiled("{tree.name}{tree.name}{tree_name}{tree_name}", tree=Tree, tree_name=str)


@pytest.mark.parametrize(
    ("value", "amount", "price", "number"),
    [
        ("57.50", "57.50", "57.50", "57.5"),
        ("5", "5.00", "5.00", "5"),
        ("1E+3", "1000.00", "1000.00", "1000"),
        ("0.1", "0.10", "0.10", "0.1"),
        ("0", "0.00", "0.00", "0"),
        ("-0.01", "-0.01", "-0.01", "-0.01"),
        ("1.2300000", "1.23", "1.23", "1.23"),
        ("123456789012345678.90", "123456789012345678.90", "123456789012345678.90", "123456789012345678.9"),
    ],
)
def test_numbers_are_written_without_exponent_or_idle_digits(value, amount, price, number):
    decimal = Decimal(value)
    assert (as_amount(decimal), as_price(decimal), as_number(decimal)) == (amount, price, number)


def test_a_price_has_as_many_decimals_as_it_needs():
    assert as_price(Decimal("0.00000012340")) == "0.0000001234"
    assert as_price(Decimal("1.2345678901234567890123456789012345")) == "1.2345678901234567890123456789012345"
    assert as_number(Decimal("1E-8")) == "0.00000001"


def test_zero_has_no_sign():
    # BR-KSA-F-04 takes -0.00 for less than zero.
    assert as_amount(Decimal("-0.00")) == "0.00"
    assert as_amount(Decimal("-0")) == "0.00"
    assert as_rate(Decimal("-0.0")) == "0.00"


@pytest.mark.parametrize("value", ["1.005", "NaN", "-1.001"])
def test_an_amount_that_two_decimals_cannot_hold_is_our_mistake(value):
    with pytest.raises(AssertionError):
        as_amount(Decimal(value))


@pytest.mark.parametrize("write", [as_price, as_number])
@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_what_is_no_number_is_not_written(write, value):
    with pytest.raises(AssertionError):
        write(Decimal(value))


def test_days_and_times_are_those_of_riyadh():
    moment = datetime(2026, 12, 31, 21, 0, 9, tzinfo=UTC)
    assert (as_date(moment), as_time(moment)) == ("2027-01-01", "00:00:09")
    assert as_date(date(2026, 12, 31)) == "2026-12-31"
