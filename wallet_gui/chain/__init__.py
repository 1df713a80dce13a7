"""Where blocks come from; the only floor with sockets."""
