"""Shops to test against: real HTTP servers with the manners of each platform, as documented and as recorded."""
