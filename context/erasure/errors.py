"""What can be refused about a person's data."""

from context.errors import ContextError


class SubjectInCallError(ContextError):
    """The person is in a call: what it leaves would come after the erasure."""

    code = "subject_in_call"


class ExportError(ContextError):
    """The archive with the person's data cannot be written."""

    code = "export_failed"
