"""Who is on call now: one port, one module a source."""

from bot.oncall.rotas import Rotas

__all__ = ["Rotas"]
