"""The demo: a local Slack with a page, a local ModelArts, and the real bot between."""
