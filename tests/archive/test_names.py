"""What files of the archive are called, and how long they are kept."""

from datetime import UTC, datetime

from gateway.archive import MAX_NAME, archive_key, digest, keep_until, legal_name
from gateway.invoice.facts import RIYADH

VAT, UUID = "310122393500003", "e23982f3-b163-480f-a690-d03fe4c11af4"
MOMENT = datetime(2021, 5, 26, 10, 24, tzinfo=UTC)


def test_a_name_is_the_authoritys_pattern_and_the_uuid():
    # The example of the XML Implementation Standard, section 14, but for the UUID.
    assert legal_name(VAT, MOMENT, "2021/05/26/23555", UUID) == f"{VAT}_20210526T132400_2021-05-26-23555_{UUID}"


def test_a_month_is_riyadhs():
    last_of_may = datetime(2021, 5, 31, 21, 30, tzinfo=UTC)
    key = archive_key(VAT, last_of_may, legal_name(VAT, last_of_may, "1", UUID), ".xml", digest(b""))
    assert key == f"{VAT}/2021-06/{VAT}_20210601T003000_1_{UUID}_{digest(b'')}.xml"


def test_the_longest_number_still_makes_a_file_name():
    key = archive_key(VAT, MOMENT, legal_name(VAT, MOMENT, "ف" * 127, UUID), ".answer-9999.json", digest(b""))
    assert len(key.rpartition("/")[2].encode()) == MAX_NAME


def test_six_years_begin_with_the_end_of_the_tax_period():
    assert keep_until(MOMENT, 6) == datetime(2027, 7, 1, tzinfo=RIYADH)
    assert keep_until(datetime(2026, 12, 31, 20, 59, tzinfo=UTC), 15) == datetime(2042, 1, 1, tzinfo=RIYADH)
    assert keep_until(datetime(2026, 12, 31, 21, tzinfo=UTC), 6) == datetime(2033, 4, 1, tzinfo=RIYADH)
    assert keep_until(datetime(2028, 2, 29, 9, tzinfo=UTC), 11) == datetime(2039, 4, 1, tzinfo=RIYADH)
