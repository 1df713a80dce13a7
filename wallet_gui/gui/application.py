"""Starts the window: shows it first, then lets the engine load what is slow to import."""

import logging

logger = logging.getLogger(__name__)
