"""``python -m bot`` is ``mlstudio-bot``."""

from bot.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
