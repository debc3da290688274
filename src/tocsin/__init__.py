"""Tocsin: a margin-call system for crypto derivatives whose every number can be checked."""

__version__ = "0.1.0"
