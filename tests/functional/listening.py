"""On what this process and its children listen, by the operating system's own tables (Linux)."""

import os
from pathlib import Path

_LISTEN = "0A"
_UNIX_LISTENS = 0x10000  # __SO_ACCEPTCON


def sockets_of(pid: int) -> set[str]:
    """The inodes of the sockets that a process has open."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def listening(pid: int | None = None) -> set[str]:
    """Addresses at which a process (this one) can be reached: TCP, UDP and Unix sockets."""
    own = sockets_of(os.getpid() if pid is None else pid)
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in own and (fields[3] == _LISTEN or table.startswith("udp")):
                found.add(f"{table} {fields[1]}")
    for line in Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in own and int(fields[3], 16) & _UNIX_LISTENS:
            found.add(f"unix {fields[7] if len(fields) > 7 else ''}")
    return found
