"""Slack's side of the wire: what comes in, what is said, and who the people are."""
