"""
The command line: one file a verb, parsed by cyclopts.

Comes in: arguments and files. Goes out: results on standard output, progress and messages on standard
error, an exit code. Verbs parse and print; what they print is computed elsewhere. Heavy imports stand
inside functions, so that `tocsin --help` does not load the engine.
"""

from tocsin.cli.app import main

__all__ = ["main"]
