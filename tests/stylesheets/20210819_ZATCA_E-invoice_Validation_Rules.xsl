<?xml version="1.0" encoding="UTF-8"?>
<!-- Ours, for tests: reports one rule of the KSA part, disagrees over a document without a note, and stops over two. -->
<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:svrl="http://purl.oclc.org/dsdl/svrl" xmlns:ubl="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
    xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">
  <xsl:template match="/ubl:Invoice">
    <svrl:schematron-output>
      <xsl:if test="not(cbc:ProfileID = 'reporting:1.0')"><svrl:failed-assert id="BR-KSA-EN16931-01" flag="fatal"/></xsl:if>
      <xsl:if test="string-length(cbc:Note) = 1"><svrl:failed-assert id="BR-KSA-77" flag="warning"/></xsl:if>
    </svrl:schematron-output>
  </xsl:template>
</xsl:stylesheet>
