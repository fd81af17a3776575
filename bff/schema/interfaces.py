"""What several types have in common."""

from datetime import datetime

import strawberry


@strawberry.interface(description="Something that can be asked for again by its id.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = strawberry.field(description="An opaque id, the same for the same object for ever.")


@strawberry.interface(description="What came from a back office, and how fresh it is.")
class Section:
    """Data and its age."""

    as_of: datetime = strawberry.field(
        description='When the back office said so. A page can write "as of 10:42" where `stale` is true.'
    )
    stale: bool = strawberry.field(
        description="The back office cannot be asked right now, and this is the last that it said."
    )


@strawberry.type(description="Where a page of a list stands (Relay).")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(description="There is more behind this page.")
    has_previous_page: bool = strawberry.field(description="There is something before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of this page's first item.")
    end_cursor: str | None = strawberry.field(
        description="The cursor of this page's last item: give it as `after` to get the next page."
    )

    @classmethod
    def around(cls, cursors: list[str], *, has_previous: bool, has_next: bool) -> "PageInfo":
        """Make it from the page's cursors."""
        return cls(
            has_next_page=has_next,
            has_previous_page=has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )
