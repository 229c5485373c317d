"""Every result of the paper from one command, each beside its rigorous twin."""

from mua_decode.commands.reproduce.command import run

__all__ = ["run"]
