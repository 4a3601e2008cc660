"""The part of the official rule set that the authority wrote itself."""
