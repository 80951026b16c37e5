"""The numerics: array in, array out. Nothing here sees a socket, a file or a configuration."""
