"""The error of a check that the program makes of itself."""


class CheckFailed(Exception):
    """Something of this program is not as it must be; the text is a sentence for a person."""
