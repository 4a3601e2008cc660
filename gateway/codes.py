"""Code lists that orders and documents draw on, each with its source."""

from typing import Final, NamedTuple

from gateway.finding import Text
from gateway.invoice.facts import Category


class Exemption(NamedTuple):
    """A VATEX-SA code: the category it belongs to and the reason as it is printed."""

    category: Category
    reason: Text


_Z, _E, _O = Category.ZERO, Category.EXEMPT, Category.OUT_OF_SCOPE

# BR-KSA-CL-04 lists the codes; the article of the VAT Implementing Regulations is in the code itself.
# For the last two of Z no official reason text is published: an order has to give its own.
EXEMPTIONS: Final[dict[str, Exemption]] = {
    "VATEX-SA-32": Exemption(_Z, Text("Export of goods", "صادرات السلع من المملكة")),
    "VATEX-SA-33": Exemption(_Z, Text("Export of services", "صادرات الخدمات من المملكة")),
    "VATEX-SA-34-1": Exemption(_Z, Text("International transport of goods", "النقل الدولي للسلع")),
    "VATEX-SA-34-2": Exemption(_Z, Text("International transport of passengers", "النقل الدولي للركاب")),
    "VATEX-SA-34-3": Exemption(
        _Z,
        Text(
            "Services directly connected and incidental to a supply of international passenger transport",
            "الخدمات المرتبطة مباشرة أو عرضياً بتوريد النقل الدولي للركاب",
        ),
    ),
    "VATEX-SA-34-4": Exemption(_Z, Text("Supply of a qualifying means of transport", "توريد وسائل النقل المؤهلة")),
    "VATEX-SA-34-5": Exemption(
        _Z, Text("Services for the transport of goods or passengers", "الخدمات ذات الصلة بنقل السلع أو الركاب")
    ),
    "VATEX-SA-35": Exemption(_Z, Text("Medicines and medical equipment", "الأدوية والمعدات الطبية")),
    "VATEX-SA-36": Exemption(_Z, Text("Qualifying metals", "المعادن المؤهلة")),
    "VATEX-SA-EDU": Exemption(_Z, Text("Private education to citizen", "الخدمات التعليمية الخاصة للمواطنين")),
    "VATEX-SA-HEA": Exemption(_Z, Text("Private healthcare to citizen", "الخدمات الصحية الخاصة للمواطنين")),
    "VATEX-SA-MLTRY": Exemption(_Z, Text("Supply of qualified military goods", "توريد السلع العسكرية المؤهلة")),
    "VATEX-SA-DIPLOMAT": Exemption(_Z, Text("Supply to diplomatic missions", "التوريد للبعثات الدبلوماسية")),
    "VATEX-SA-DUTYFREE": Exemption(
        _Z, Text("Qualified supply of goods in a duty free area", "توريد السلع المؤهلة في الأسواق الحرة")
    ),
    "VATEX-SA-ROYALDECREE": Exemption(_Z, Text("", "")),
    "VATEX-SA-32(bis)": Exemption(_Z, Text("", "")),
    "VATEX-SA-29": Exemption(_E, Text("Financial services", "الخدمات المالية")),
    "VATEX-SA-29-7": Exemption(_E, Text("Life insurance services", "خدمات التأمين على الحياة")),
    "VATEX-SA-30": Exemption(_E, Text("Real estate transactions", "التوريدات العقارية")),
    "VATEX-SA-OOS": Exemption(_O, Text("Not subject to VAT", "غير خاضع لضريبة القيمة المضافة")),
}

# BR-KSA-14, in the order of preference of the data dictionary (BT-46).
BUYER_ID_SCHEMES: Final = ("TIN", "CRN", "MOM", "MLS", "700", "SAG", "NAT", "GCC", "IQA", "PAS", "OTH")


class IdForm(NamedTuple):
    """How the value of an identity looks: a pattern, the same in words, and the rule that says so."""

    pattern: str
    words: str
    rule: str


BUYER_ID_FORMS: Final[dict[str, IdForm]] = {
    "TIN": IdForm("3[0-9]{9}", "10 digits of which the first is 3", "BR-KSA-F-07"),
    "CRN": IdForm("[0-9]{10}", "10 digits", "BR-KSA-F-08"),
    "700": IdForm("7[0-9]{9}", "10 digits of which the first is 7", "BR-KSA-F-09"),
    "NAT": IdForm("1[0-9]{9}", "10 digits of which the first is 1", "BR-KSA-F-10"),
    "IQA": IdForm("2[0-9]{9}", "10 digits of which the first is 2", "BR-KSA-F-11"),
}

# BR-KSA-08 (BT-29).
SELLER_ID_SCHEMES: Final = ("CRN", "MOM", "MLS", "700", "SAG", "OTH")

# UNTDID 4461 (BT-81; BR-KSA-16 admits these): how an order's payment method is named on the document.
PAYMENT_MEANS: Final[dict[str, str]] = {
    "card": "48",
    "cash": "10",
    "cod": "10",
    "bank": "42",
    "credit": "30",
    "wallet": "68",
    "gift_card": "1",
    "store_credit": "1",
    "other": "1",
}

# UNTDID 7161 (BT-105, BT-145) as BR-KSA-CL-06 carries it, without the two that are glued together there.
CHARGE_REASONS: Final = frozenset(
    """AA AAA AAC AAD AAE AAF AAH AAI AAS AAT AAV AAY AAZ ABA ABB ABC ABD ABF ABK ABL ABN ABR ABS ABT ABU ACF ACG ACH
    ACI ACJ ACK ACL ACM ACS ADC ADE ADJ ADK ADL ADM ADN ADO ADP ADQ ADR ADT ADW ADY ADZ AEA AEB AEC AED AEF AEH AEI AEJ
    AEK AEL AEM AEN AEO AEP AES AET AEU AEV AEW AEX AEY AEZ AJ AU CA CAB CAD CAE CAF CAI CAJ CAK CAL CAM CAN CAO CAR CAS
    CAT CAU CAV CAW CD CG CS CT DAB DAD DL EG EP ER FAA FAB FAC FC FH FI GAA HAA HD HH IAA AB ID IF IR IS KO L1 LA LAA
    LAB LF MAE MI ML NAA OA PA PAA PC PL RAB RAC RAD RAF RE RF RH RV SA SAA SAD SAE SAI SG SH SM SU TAB AC TT TV V1 V2
    WH XAA YY ZZZ""".split()
)

# ISO 4217 as BR-CL-04 carries it (R3.4.8).
CURRENCIES: Final = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
    CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF
    GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD
    LSL LYD MAD MDL MGA MKD MMK MNT MOP MRO MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR
    PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLL SOS SRD SSP STD SVC SYP SZL THB TJS TMT TND TOP TRY TTD
    TWD TZS UAH UGX USD USN UYI UYU UZS VEF VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XSU XTS XUA
    XXX YER ZAR ZMW ZWL""".split()
)
