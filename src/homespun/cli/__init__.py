"""The command line: one small file per command; heavy packages are imported only when a command is called."""
