"""The guard against the internet is itself guarded: a hook that sleeps would look like success."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.contact_guard import PYTHON_PATH, VARIABLE, InternetContact, is_outside


def test_a_name_is_not_looked_up(contact_record: Path) -> None:
    with pytest.raises(InternetContact):
        socket.getaddrinfo("seed.example.org", 8333)
    assert "seed.example.org" in contact_record.read_text()
    contact_record.write_text("")


def test_nobody_outside_is_connected_to(contact_record: Path) -> None:
    with socket.socket() as plain, pytest.raises(InternetContact):
        plain.connect(("192.0.2.1", 8333))
    contact_record.write_text("")


def test_a_program_that_a_test_starts_is_guarded_too(contact_record: Path) -> None:
    code = "import socket; socket.getaddrinfo('seed.example.org', 8333)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH, VARIABLE: str(contact_record)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "InternetContact" in run.stderr
    assert "seed.example.org" in contact_record.read_text()
    contact_record.write_text("")


def test_what_is_outside() -> None:
    assert is_outside("8.8.8.8")
    assert is_outside("example.org")
    assert is_outside("192.168.1.1")
    assert not is_outside("127.0.0.7")
    assert not is_outside("::1")
    assert not is_outside("localhost")
