"""
What the service itself has to remember: codes, sessions, counters.

`SqliteStore` keeps it in a file of this machine, `RedisStore` (in `bff.identity.store.redis_store`) in a Redis that
several machines share. The latter is not imported here: its client library costs a third of a second.
"""

from bff.identity.store.protocol import MAX_VALUE_BYTES, Count, Store, StoreUnavailable
from bff.identity.store.sqlite import SqliteStore

__all__ = ["MAX_VALUE_BYTES", "Count", "SqliteStore", "Store", "StoreUnavailable"]
