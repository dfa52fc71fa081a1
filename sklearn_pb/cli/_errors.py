"""What the user has to change."""


class UsageError(Exception):
    """A wish that cannot be met; its text is the one line that the user sees."""
