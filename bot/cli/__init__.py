"""The command line: ``main`` has the commands; what some of them do has a module."""
