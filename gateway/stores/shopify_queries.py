"""What is asked of Shopify's Admin API. Pages are so large that no query costs more than a thousand points."""

from typing import Final

_MONEY: Final = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"
_ADDRESS: Final = "{ name firstName lastName company address1 address2 city zip countryCodeV2 }"
_DISCOUNTS: Final = f"""discountAllocations {{ allocatedAmountSet {_MONEY} discountApplication {{ __typename
    ... on DiscountCodeApplication {{ code }} ... on AutomaticDiscountApplication {{ title }}
    ... on ManualDiscountApplication {{ title description }} ... on ScriptDiscountApplication {{ title }} }} }}"""
_TAXES: Final = f"taxLines {{ rate title priceSet {_MONEY} }}"
_PAGE: Final = "pageInfo { hasNextPage endCursor }"

MOST_REFUNDS: Final = 50
"""Refunds of one order that are read; one with more is for a person."""

SHOP: Final = (
    "query shop { shop { name currencyCode taxesIncluded } currentAppInstallation { accessScopes { handle } } }"
)

CHANGED: Final = f"""query changed($search: String!, $after: String) {{
  orders(first: 100, after: $after, query: $search, sortKey: UPDATED_AT) {{ nodes {{ id updatedAt }} {_PAGE} }}
}}"""

ORDER: Final = f"""query order($id: ID!) {{ order(id: $id) {{
  id name test createdAt processedAt updatedAt cancelledAt currencyCode presentmentCurrencyCode taxesIncluded
  displayFinancialStatus displayFulfillmentStatus paymentGatewayNames
  totalPriceSet {_MONEY} totalTaxSet {_MONEY} totalTipReceivedSet {_MONEY}
  originalTotalDutiesSet {_MONEY} originalTotalAdditionalFeesSet {_MONEY}
  billingAddress {_ADDRESS} shippingAddress {_ADDRESS} customer {{ firstName lastName }}
  customAttributes {{ key value }}
  purchasingEntity {{ ... on PurchasingCompany {{
    company {{ name }} location {{ taxSettings {{ taxRegistrationId }} }} }} }}
  shippingLines(first: 10) {{ nodes {{ id title isRemoved originalPriceSet {_MONEY} {_DISCOUNTS} {_TAXES} }} }}
  transactions(first: 20) {{ kind status gateway amountSet {_MONEY} }}
  refunds(first: {MOST_REFUNDS}) {{ id createdAt note totalRefundedSet {_MONEY} }}
}} }}"""

REFUND: Final = f"""query refund($id: ID!, $after: String) {{ refund(id: $id) {{
  transactions(first: 10) {{ nodes {{ kind status gateway amountSet {_MONEY} }} }}
  refundLineItems(first: 40, after: $after) {{
    nodes {{ quantity lineItem {{ id }} subtotalSet {_MONEY} totalTaxSet {_MONEY} }} {_PAGE} }}
  refundShippingLines(first: 10) {{ nodes {{
    shippingLine {{ id }} subtotalAmountSet {_MONEY} totalTaxAmountSet: taxAmountSet {_MONEY} }} }}
}} }}"""

ITEMS: Final = f"""query items($id: ID!, $after: String) {{ order(id: $id) {{
  lineItems(first: 40, after: $after) {{ nodes {{
    id name title sku quantity isGiftCard taxable product {{ id }} originalUnitPriceSet {_MONEY} {_DISCOUNTS} {_TAXES}
  }} {_PAGE} }}
}} }}"""

AGREEMENTS: Final = f"""query agreements($id: ID!, $after: String, $salesAfter: String) {{ order(id: $id) {{
  agreements(first: 1, after: $after) {{ nodes {{
    id happenedAt reason
    sales(first: 50, after: $salesAfter) {{ nodes {{
      id actionType lineType quantity totalAmount {_MONEY} totalTaxAmount {_MONEY}
      totalDiscountAmountBeforeTaxes {_MONEY} totalDiscountAmountAfterTaxes {_MONEY}
      ... on ProductSale {{ lineItem {{ id name sku }} }} ... on ShippingLineSale {{ shippingLine {{ id title }} }}
    }} {_PAGE} }}
  }} {_PAGE} }}
}} }}"""

METAFIELDS: Final = """query metafields($id: ID!) { order(id: $id) {
  id metafields(first: 20, namespace: "zatca") { nodes { key value } }
} }"""

SET_METAFIELDS: Final = """mutation metafieldsSet($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) { metafields { key } userErrors { field message } }
}"""

SUBSCRIPTIONS: Final = "query subscriptions { webhookSubscriptions(first: 100) { nodes { id topic uri } } }"

SUBSCRIBE: Final = """mutation webhookSubscriptionCreate($topic: WebhookSubscriptionTopic!, $uri: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: { uri: $uri, format: JSON }) {
    webhookSubscription { id } userErrors { field message }
  }
}"""
