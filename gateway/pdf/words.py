"""The words of the printed document, each in English and Arabic as the law and the authority's guidelines word them."""

from typing import Final

from gateway.finding import Text
from gateway.invoice.facts import Category, Flag, Kind, Profile

# VAT Implementing Regulations, articles 53 (tax invoices) and 54 (credit and debit notes). A prepayment is taxed by a
# tax invoice too: its subtitle tells.
TITLES: Final[dict[tuple[Kind, Profile], Text]] = {
    (Kind.INVOICE, Profile.STANDARD): Text("Tax Invoice", "فاتورة ضريبية"),
    (Kind.INVOICE, Profile.SIMPLIFIED): Text("Simplified Tax Invoice", "فاتورة ضريبية مبسطة"),
    (Kind.PREPAYMENT, Profile.STANDARD): Text("Tax Invoice", "فاتورة ضريبية"),
    (Kind.PREPAYMENT, Profile.SIMPLIFIED): Text("Simplified Tax Invoice", "فاتورة ضريبية مبسطة"),
    (Kind.CREDIT_NOTE, Profile.STANDARD): Text("Credit Note", "إشعار دائن"),
    (Kind.CREDIT_NOTE, Profile.SIMPLIFIED): Text("Credit Note", "إشعار دائن"),
    (Kind.DEBIT_NOTE, Profile.STANDARD): Text("Debit Note", "إشعار مدين"),
    (Kind.DEBIT_NOTE, Profile.SIMPLIFIED): Text("Debit Note", "إشعار مدين"),
}

PREPAYMENT: Final = Text("Prepayment", "دفعة مقدمة")
OF_INVOICE: Final[dict[Profile, Text]] = {
    Profile.STANDARD: Text("to a tax invoice", "للفاتورة الضريبية"),
    Profile.SIMPLIFIED: Text("to a simplified tax invoice", "للفاتورة الضريبية المبسطة"),
}
"""What stands below the title of a note."""

FLAGS: Final[dict[Flag, Text]] = {
    Flag.THIRD_PARTY: Text("Issued by a third party on behalf of the seller", "صادرة من طرف ثالث نيابةً عن البائع"),
    Flag.NOMINAL: Text("Nominal supply", "توريد اسمي"),
    Flag.EXPORT: Text("Export", "صادرات"),
    Flag.SUMMARY: Text("Summary invoice", "فاتورة ملخصة"),
    Flag.SELF_BILLED: Text(
        "Self-billed: issued by the buyer on behalf of the seller", "فوترة ذاتية: صادرة من المشتري نيابةً عن البائع"
    ),
    Flag.CONTINUOUS: Text("Continuous supply", "توريد مستمر"),
    Flag.B2G: Text("Supply to a government entity", "توريد لجهة حكومية"),
}

CATEGORIES: Final[dict[Category, Text]] = {
    Category.STANDARD: Text("Standard rate", "النسبة الأساسية"),
    Category.ZERO: Text("Zero-rated", "خاضع لنسبة الصفر"),
    Category.EXEMPT: Text("Exempt", "معفى من الضريبة"),
    Category.OUT_OF_SCOPE: Text("Not subject to VAT", "خارج نطاق الضريبة"),
}

# BR-KSA-08, BR-KSA-14: whose identity the number is.
IDENTITIES: Final[dict[str, Text]] = {
    "TIN": Text("Tax identification number", "الرقم المميز"),
    "CRN": Text("Commercial registration", "السجل التجاري"),
    "MOM": Text("Municipal licence", "رخصة البلدية"),
    "MLS": Text("Human resources licence", "رخصة الموارد البشرية"),
    "700": Text("Unified number (700)", "الرقم الموحد (700)"),
    "SAG": Text("Investment licence", "رخصة الاستثمار"),
    "NAT": Text("National ID", "رقم الهوية الوطنية"),
    "GCC": Text("GCC ID", "رقم الهوية الخليجية"),
    "IQA": Text("Iqama number", "رقم الإقامة"),
    "PAS": Text("Passport number", "رقم جواز السفر"),
    "OTH": Text("Other ID", "معرّف آخر"),
}
OTHER_IDENTITY: Final = IDENTITIES["OTH"]

# UNTDID 4461, those that shops and ERPs use; of others the code is printed. 1 says nothing and is left out.
PAYMENT_MEANS: Final[dict[str, Text]] = {
    "10": Text("Cash", "نقدًا"),
    "20": Text("Cheque", "شيك"),
    "30": Text("On credit", "آجل"),
    "42": Text("Bank transfer", "تحويل بنكي"),
    "48": Text("Card", "بطاقة بنكية"),
    "49": Text("Direct debit", "خصم مباشر"),
    "54": Text("Credit card", "بطاقة ائتمان"),
    "55": Text("Debit card", "بطاقة مدى / خصم"),
    "58": Text("Bank transfer", "تحويل بنكي"),
    "68": Text("Online payment", "دفع إلكتروني"),
}

# UN/ECE Recommendation 20, those that shops use; of others the code is printed.
UNITS: Final[dict[str, Text]] = {
    "PCE": Text("pc", "قطعة"),
    "C62": Text("unit", "وحدة"),
    "EA": Text("each", "حبة"),
    "H87": Text("pc", "قطعة"),
    "BX": Text("box", "صندوق"),
    "CT": Text("carton", "كرتون"),
    "SET": Text("set", "طقم"),
    "KGM": Text("kg", "كجم"),
    "GRM": Text("g", "جم"),
    "TNE": Text("t", "طن"),
    "LTR": Text("l", "لتر"),
    "MTR": Text("m", "متر"),
    "MTK": Text("m²", "م²"),
    "MTQ": Text("m³", "م³"),
    "HUR": Text("h", "ساعة"),
    "DAY": Text("day", "يوم"),
    "MON": Text("month", "شهر"),
    "ANN": Text("year", "سنة"),
}

# Where sellers and buyers of documents live for the most part; of others the ISO 3166 code is printed.
COUNTRIES: Final[dict[str, Text]] = {
    "SA": Text("Saudi Arabia", "المملكة العربية السعودية"),
    "AE": Text("United Arab Emirates", "الإمارات العربية المتحدة"),
    "BH": Text("Bahrain", "البحرين"),
    "KW": Text("Kuwait", "الكويت"),
    "OM": Text("Oman", "عُمان"),
    "QA": Text("Qatar", "قطر"),
}

SELLER: Final = Text("Seller", "البائع")
BUYER: Final = Text("Buyer", "المشتري")
VAT_NUMBER: Final = Text("VAT registration number", "رقم التسجيل الضريبي")
ADDRESS: Final = Text("Address", "العنوان")

NUMBER: Final = Text("Invoice number", "رقم الفاتورة")
NOTE_NUMBER: Final = Text("Note number", "رقم الإشعار")
ISSUED_AT: Final = Text("Date and time of issue", "تاريخ ووقت الإصدار")
SUPPLY_DATE: Final = Text("Date of supply", "تاريخ التوريد")
SUPPLY_PERIOD: Final = Text("Period of supply", "فترة التوريد")
REFERENCE: Final = Text("Invoice corrected", "رقم الفاتورة الأصلية")
REASON: Final = Text("Reason for the note", "سبب إصدار الإشعار")
ORDER: Final = Text("Order", "رقم الطلب")
CONTRACT: Final = Text("Contract", "رقم العقد")
PAYMENT: Final = Text("Payment", "طريقة الدفع")
CURRENCY: Final = Text("Currency", "العملة")
EXCHANGE_RATE: Final = Text("Exchange rate", "سعر الصرف")
TYPE: Final = Text("Invoice type code", "رمز نوع الفاتورة")
NOTES: Final = Text("Notes", "ملاحظات")

ITEM: Final = Text("Description", "الوصف")
QUANTITY: Final = Text("Quantity", "الكمية")
PRICE: Final = Text("Unit price", "سعر الوحدة")
ADJUSTED: Final = Text("Discount / charge", "خصم / رسوم")
NET: Final = Text("Net excl. VAT", "الصافي دون الضريبة")
RATE: Final = Text("VAT rate", "نسبة الضريبة")
VAT: Final = Text("VAT", "مبلغ الضريبة")
WITH_VAT: Final = Text("Total incl. VAT", "الإجمالي شامل الضريبة")

ADJUSTMENTS: Final = Text("Discounts and charges on the whole document", "الخصومات والرسوم على مستوى المستند")
DISCOUNT: Final = Text("Discount", "خصم")
CHARGE: Final = Text("Charge", "رسوم")
AMOUNT: Final = Text("Amount", "المبلغ")
DEDUCTIONS: Final = Text("Prepayments deducted", "الدفعات المقدمة المخصومة")
PREPAYMENT_INVOICE: Final = Text("Prepayment invoice", "فاتورة الدفعة المقدمة")
BREAKDOWN: Final = Text("VAT breakdown", "تفصيل ضريبة القيمة المضافة")
CATEGORY: Final = Text("VAT category", "فئة الضريبة")
TAXABLE: Final = Text("Taxable amount", "المبلغ الخاضع للضريبة")

LINES_TOTAL: Final = Text("Sum of lines", "مجموع البنود")
ALLOWANCES_TOTAL: Final = Text("Discounts", "مجموع الخصومات")
CHARGES_TOTAL: Final = Text("Charges", "مجموع الرسوم")
WITHOUT_VAT: Final = Text("Total excluding VAT", "الإجمالي غير شامل الضريبة")
VAT_TOTAL: Final = Text("VAT total", "مجموع ضريبة القيمة المضافة")
VAT_IN_SAR: Final = Text("VAT total in SAR", "مجموع الضريبة بالريال السعودي")
TOTAL: Final = Text("Total including VAT", "الإجمالي شامل الضريبة")
PREPAID: Final = Text("Prepaid", "المدفوع مقدمًا")
ROUNDING: Final = Text("Rounding", "فرق التقريب")
PAYABLE: Final = Text("Amount due", "المبلغ المستحق")

REPLACED: Final = Text(
    "Some text is not shown as it is written: � stands for a character that cannot be drawn here, and what is too long"
    " to be set was shortened. The attached XML has all of it.",
    "بعض النص لا يظهر كما كُتب: الرمز � مكان حرف لا يمكن رسمه هنا، وما زاد طوله عن الحد اختُصر."
    " النص الكامل في ملف XML المرفق.",
)
PAGE: Final = Text("Page {page} of {pages}", "صفحة {page} من {pages}")
