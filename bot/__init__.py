"""A ChatOps bot that restarts ModelArts ML Studio instances from Slack."""

__version__ = "1.0.0"
