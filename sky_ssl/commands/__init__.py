"""The subcommands of `sky-ssl`, one file each: its arguments, and what it does with them.

A file has `add(commands)`, which describes the arguments, and a function that takes them parsed and
gives a result to print. What a subcommand needs is imported when it runs, so that the others start
at once.
"""
