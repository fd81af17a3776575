"""
Plain async functions, one file a section: from a request's context to domain objects with their freshness.

They know no HTTP and no GraphQL types. What they raise is of `bff.errors`.
"""
