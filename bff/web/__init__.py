"""HTTP: the GraphQL endpoint, GraphiQL, health."""
