"""The part of the official rule set that comes from EN 16931, regraded by the authority."""
