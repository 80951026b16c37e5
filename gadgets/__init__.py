"""One gadget a file, named as in a chain: thin shells that turn messages into calls of ``models``."""
