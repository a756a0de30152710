"""The one exception for input that a user can mend.

Its message is a single line that names the file or parameter, its value and what is allowed. The
command line prints it and exits with status 2; anything else that is raised is a defect of ours.
"""


class InputError(ValueError):
    """Raised for bad input: a file, a parameter or a combination of them."""
