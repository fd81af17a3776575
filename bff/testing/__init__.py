"""The kit that adapter authors test with, under pytest with the anyio plug-in. Nothing on the serving road uses it."""

from bff.testing.contract import AdapterContract, Sample

__all__ = ["AdapterContract", "Sample"]
