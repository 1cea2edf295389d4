"""The command line: every use of the program that needs no page."""
