"""Links need no key, so all depends on what they are: signed over all they name, for a time, taken back at once."""

from datetime import timedelta

import pytest
import structlog

from gateway import ubl
from gateway.errors import BadInput, NotCleared, Unknown
from gateway.pipeline import links
from gateway.pipeline.links import File, genuine, make_link, revoke_links
from gateway.pipeline.readable import readable
from tests.installation import BUSINESS, OWNER


def link_to(site, issued, **more):
    return make_link(site.gateway, OWNER, issued.uuid, **{"file": File.XML, "actor": "tests", **more})


def parts(link):
    return link.url.split("/")[-2:]


def follow(site, ticket, name):
    named = genuine(site.gateway, ticket, name)
    return named.file, links.follow(site.gateway, named)


def refused(site, ticket, name):
    with pytest.raises(Unknown) as error:
        follow(site, ticket, name)
    return error.value.what, error.value.fix, error.value.ar


def test_a_link_gives_the_file_it_names(site):
    issued = site.issue(1)
    link = link_to(site, issued)
    assert link.url.startswith(f"{site.gateway.settings.address}/v1/shared/{OWNER}.1.")
    file, given = follow(site, *parts(link))
    assert (file, given.content) == (File.XML, site.ledger.stamped_xml(OWNER, issued.uuid))
    heading = ubl.read(given.content).heading
    assert given.name.startswith(f"{OWNER}_")
    assert given.name.endswith(f"_{heading.number}.xml")
    file, given = follow(site, *parts(link_to(site, issued, file=File.PDF)))
    assert file is File.PDF
    assert given == readable(site.gateway, OWNER, issued.uuid, actor="tests")


def test_it_works_until_it_ends(site):
    link = link_to(site, site.issue(1))
    assert link.expires_at == (site.clock() + timedelta(days=7)).replace(microsecond=0)
    site.clock.move(link.expires_at - site.clock() - timedelta(seconds=1))
    assert follow(site, *parts(link))
    site.clock.move(timedelta(seconds=1))
    refused(site, *parts(link))


@pytest.mark.parametrize("days", [0, -1, 367])
def test_how_long_it_may_work_is_bounded(site, days):
    issued = site.issue(1)
    with pytest.raises(BadInput, match="1 to 366 days"):
        link_to(site, issued, days=days)
    assert link_to(site, issued, days=366).expires_at > site.clock() + timedelta(days=365)


def test_every_part_is_signed_and_every_wrong_one_is_answered_alike(site):
    issued, other = site.issue(1), site.issue(2)
    ticket, name = parts(link_to(site, issued))
    _, version, until, signature = ticket.rsplit(".", 3)
    spoilt = signature[:-2] + ("AA" if signature[-2:] != "AA" else "BB")
    wrong = [
        (ticket, f"{other.uuid}.xml"),
        (ticket, f"{issued.uuid}.pdf"),
        (ticket, "nothing.xml"),
        (ticket, f"../{issued.uuid}.xml"),
        (ticket, issued.uuid),
        (f"{OWNER}.{version}.{int(until) + 1}.{signature}", name),
        (f"{OWNER}.{version}.0{until}.{signature}", name),
        (f"{OWNER}.2.{until}.{signature}", name),
        (f"310122393500003.{version}.{until}.{signature}", name),
        (f"{OWNER}.{version}.{until}.{spoilt}", name),
        (f"{OWNER}.{version}.{until}.", name),
        (f"{OWNER}.{version}.{until}.{signature}=", name),
        (f"{OWNER}.{version}.{'9' * 200}.{signature}", name),
        ("", ""),
        ("\u0661", "\u0661"),
    ]
    assert len({refused(site, *each) for each in wrong}) == 1
    assert follow(site, ticket, name)


def test_of_a_taxpayer_without_a_key_nothing_is_found(site):
    """The key of nothing signs nothing: before the first link is made, none can be genuine."""
    issued = site.issue(1)
    named = f"{OWNER}.1.99999999999.{'A' * 43}"
    refused(site, named, f"{issued.uuid}.xml")


def test_all_links_are_taken_back_at_once(site):
    issued = site.issue(1)
    before = [link_to(site, issued), link_to(site, issued, file=File.PDF)]
    revoke_links(site.gateway, OWNER, actor="tests")
    for link in before:
        refused(site, *parts(link))
    after = link_to(site, issued)
    assert f"/{OWNER}.2." in after.url
    assert follow(site, *parts(after))


def test_a_standard_document_is_shared_when_it_is_cleared(site):
    issued = site.issue(1, buyer=BUSINESS)
    with pytest.raises(NotCleared):
        link_to(site, issued)
    with pytest.raises(NotCleared):
        readable(site.gateway, OWNER, issued.uuid, actor="tests")
    site.work()
    _, given = follow(site, *parts(link_to(site, issued)))
    assert given.content == site.ledger.cleared_xml(OWNER, issued.uuid)
    assert not given.uncleared
    with pytest.raises(Unknown):
        make_link(site.gateway, OWNER, "nobodys", file=File.PDF, actor="tests")


def test_what_was_done_is_on_record_and_no_log_holds_a_link(site):
    issued = site.issue(1)
    with structlog.testing.capture_logs() as log:
        link = link_to(site, issued)
        follow(site, *parts(link))
        revoke_links(site.gateway, OWNER, actor="admin")
    entries = [each for each in site.ledger.audit_log(OWNER) if each.action.startswith("link.")]
    assert [(each.action, each.object, each.actor) for each in entries] == [
        ("link.made", issued.uuid, "tests"),
        ("link.revoked", OWNER, "admin"),
    ]
    assert entries[0].detail["file"] == "xml"
    assert [(each["event"], each["uuid"]) for each in log] == [("link_followed", issued.uuid)]
    signature = link.url.split("/")[-2].rsplit(".", 1)[1]
    assert signature not in f"{log} {[each.detail for each in entries]}"
