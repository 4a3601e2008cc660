<?xml version="1.0" encoding="UTF-8"?>
<!-- Ours, for tests: reports two rules of the EN 16931 part as the authority's stylesheet would, and judges nothing else. -->
<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:ubl="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
    xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <xsl:template match="/ubl:Invoice">
    <svrl:schematron-output>
      <xsl:if test="not(cbc:ID != '')"><svrl:failed-assert id="BR-02" flag="warning"/></xsl:if>
      <xsl:if test="not(cbc:InvoiceTypeCode != '')"><svrl:failed-assert id="BR-04" flag="fatal"/></xsl:if>
    </svrl:schematron-output>
  </xsl:template>
</xsl:stylesheet>
