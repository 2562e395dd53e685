"""The two ways in which a command ends badly, and the exit code of each."""


class FrustrationError(Exception):
    """What went wrong, in one sentence for the user; the command ends with `exit_code`."""

    exit_code = 1


class InputError(FrustrationError):
    """What the user gave cannot be used; the sentence says what would be accepted."""

    exit_code = 2
