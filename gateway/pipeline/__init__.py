"""One module per procedure: onboard, issue, submit, link back, take in. The only room that knows both halves."""
