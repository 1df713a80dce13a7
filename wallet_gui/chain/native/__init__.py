"""The engine in C: its sources, the library built from them, and the Python around it."""
