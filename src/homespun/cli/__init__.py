"""The command line: one small file a command; heavy rooms are imported only when a command is called."""
