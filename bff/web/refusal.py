"""A request that is not executed."""

from collections.abc import Iterable, Sequence

from graphql import GraphQLError

from bff.errors import Code

Header = tuple[bytes, bytes]


class RequestRefused(Exception):
    """
    The request was not executed. `errors` are about the request itself, so their texts are safe to show.

    `of_operation` says that it was well-formed and its operation is what is wrong: then the status is for clients
    that know the newer media type, and others get 200, since they would take anything else for a broken transport.
    `retry_after`, in seconds, is for what may simply be sent again.
    """

    def __init__(
        self,
        code: Code,
        errors: Sequence[GraphQLError | str],
        *,
        status: int = 400,
        of_operation: bool = False,
        headers: Iterable[Header] = (),
        retry_after: int = 0,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.errors = [error if isinstance(error, GraphQLError) else GraphQLError(error) for error in errors]
        self.status = status
        self.of_operation = of_operation
        self.headers = tuple(headers)
        self.retry_after = retry_after


def bad_request(message: str, *, status: int = 400, headers: Iterable[Header] = ()) -> RequestRefused:
    """A refusal of something that is no good request."""
    return RequestRefused(Code.BAD_USER_INPUT, [message], status=status, headers=headers)
