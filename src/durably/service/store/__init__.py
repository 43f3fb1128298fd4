"""Where executions are kept: behind one small protocol, in memory or in a SQLite file."""
