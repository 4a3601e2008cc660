"""How is paid, and the codes of charges."""

from typing import Final

from gateway.rules.book import WARNING, rule
from gateway.rules.ksa.contexts import ANY_CHARGE, DOCUMENT_CHARGE, LINE_CHARGE, PAYMENT_CODE
from gateway.rules.parts import AllowanceCharge
from gateway.rules.view import Node
from gateway.rules.xpath import code_list

# UNTDID 4461 as BR-KSA-16 carries it: without the 69 that BR-CL-16 admits.
PAYMENT_CODES: Final = code_list(
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 "
    "40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 70 74 75 76 77 78 91 "
    "92 93 94 95 96 97 ZZZ"
)
# UNTDID 7161 as BR-KSA-CL-06 carries it: two codes are glued together, and any part of the list passes.
CHARGE_CODES: Final = (
    " AA AAA AAC AAD AAE AAF AAH AAI AAS AAT AAV AAY AAZ ABA ABB ABC ABD ABF ABK ABL ABN ABR ABS ABT ABU ACF ACG "
    "ACH ACI ACJ ACK ACL ACM ACS ADC ADE ADJ ADK ADL ADM ADN ADO ADP ADQ ADR ADT ADW ADY ADZ AEA AEB AEC AED AEF "
    "AEH AEI AEJ AEK AEL AEM AEN AEO AEP AES AET AEU AEV AEW AEX AEY AEZ AJ AU CA CAB CAD CAE CAF CAI CAJ CAK CAL "
    "CAM CAN CAO CAPCAQ CAR CAS CAT CAU CAV CAW CD CG CS CT DAB DAD DL EG EP ER FAA FAB FAC FC FH FI GAA HAA HD "
    "HH IAA AB ID IF IR IS KO L1 LA LAA LAB LF MAE MI ML NAA OA PA PAA PC PL RAB RAC RAD RAF RE RF RH RV SA SAA "
    "SAD SAE SAI SG SH SM SU TAB AC TT TV V1 V2 WH XAA YY ZZZ "
)


@rule("BR-KSA-16", PAYMENT_CODE, term="BT-81", severity=WARNING)
def means_of_payment_is_listed(code: Node) -> bool:
    return code.normal in PAYMENT_CODES


@rule("BR-KSA-CL-06", ANY_CHARGE, term="BT-105", place=lambda charge: charge.reason_code, severity=WARNING)
def reason_of_charge_is_listed(charge: AllowanceCharge) -> bool:
    return charge.reason_code.text in CHARGE_CODES


@rule("BR-KSA-19", DOCUMENT_CHARGE, term="BT-105", place=lambda charge: charge.reason_code, severity=WARNING)
def document_charge_has_a_reason_code(charge: AllowanceCharge) -> bool:
    return bool(charge.reason_code.normal)


@rule("BR-KSA-20", LINE_CHARGE, term="BT-145", place=lambda charge: charge.reason_code, severity=WARNING)
def line_charge_has_a_reason_code(charge: AllowanceCharge) -> bool:
    return bool(charge.reason_code.normal)


@rule("BR-KSA-21", DOCUMENT_CHARGE, term="BT-104", value=lambda _: "", severity=WARNING)
def document_charge_has_a_reason(charge: AllowanceCharge) -> bool:
    return bool(charge.reason.normal)


@rule("BR-KSA-22", LINE_CHARGE, term="BT-144", value=lambda _: "", severity=WARNING)
def line_charge_has_a_reason(charge: AllowanceCharge) -> bool:
    return bool(charge.reason.normal)
