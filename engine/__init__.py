"""The engine: messages, codecs, sessions, chains, transports and the server.

Imports nothing of ``gadgets`` or ``clients``; numerics live in ``models``.
"""
