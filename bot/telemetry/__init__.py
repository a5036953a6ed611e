"""What the bot tells about itself: logs, figures, traces, health, and the canary."""
