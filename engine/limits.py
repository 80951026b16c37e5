"""How much a client may ask for. Everything that arrives is held against these before memory is taken for it."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one engine; the settings set them. Sizes in bytes, times in seconds."""

    message_bytes: int = 256 * MIB
    """Longest single message (one readout, one image, one block)."""
    header_bytes: int = 8 * MIB
    """Longest MRD XML header."""
    text_bytes: int = MIB
    """Longest configuration, TEXT or query."""
    session_bytes: int = 0
    """Most bytes that one session may send; 0 for no limit."""
    sessions: int = 4096
    """Sessions open at once."""
    queue_bytes: int = 64 * MIB
    """Received bytes that wait in memory for their session's chain; beyond, the client waits or the disk is used."""
    kspace_bytes: int = 4096 * MIB
    """Largest k-space grid of one image, over all coils."""
    handshake_seconds: float = 120.0
    """Time from connecting to the header's end."""
    message_seconds: float = 60.0
    """Time from a message's first byte to its last."""
    idle_seconds: float = 3600.0
    """Time without any byte while streaming."""
    send_seconds: float = 120.0
    """Time for which a client may leave images unread."""
    gadget_seconds: float = 600.0
    """Time for one call of a gadget."""
    resume_seconds: float = 60.0
    """Time for which a ZeroMQ client that lost its connection may come back."""
