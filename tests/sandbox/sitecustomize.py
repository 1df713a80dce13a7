"""Imported by Python in every program that a test starts with this folder in its path."""

import contact_guard

contact_guard.install()
