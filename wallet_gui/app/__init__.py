"""Online use cases: asyncio, no Qt."""
