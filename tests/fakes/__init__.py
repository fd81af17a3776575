"""Things that play a part in tests: servers on real sockets, back offices in memory, certificates."""
