"""One module per procedure: onboard, renew, issue, submit, link back, take in. The only room that knows both halves."""
