"""What carries sessions: MRD over TCP, ZeroMQ, memory. Each knows only an engine, its frames and its peers."""
