"""What talks to an engine: the library client, the scanner simulator, replay and the command line."""
