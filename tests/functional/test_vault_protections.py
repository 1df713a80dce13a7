"""What the vault does to its own process, tried out in real ones."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")


def _in_hardened_process(code: str) -> str:
    script = "from wallet_gui.vault.hardening import harden\nstate = harden()\n" + textwrap.dedent(
        code
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@ON_LINUX
def test_the_kernel_refuses_network_sockets_and_allows_local_ones() -> None:
    said = _in_hardened_process(
        """
        import ctypes, errno, os
        library = ctypes.CDLL(None, use_errno=True)
        # AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK: refused; AF_UNIX: allowed.
        for family in (2, 10, 16, 17, 40):
            assert library.socket(family, 1, 0) == -1, family
            assert ctypes.get_errno() == errno.EACCES, (family, ctypes.get_errno())
        handle = library.socket(1, 1, 0)
        assert handle >= 0
        # io_uring_setup, through which sockets could be made past the filter.
        assert library.syscall(425, 1, 0) == -1
        assert ctypes.get_errno() == errno.ENOSYS
        # A call through the x32 table of x86-64.
        if os.uname().machine == "x86_64":
            assert library.syscall(0x40000000 + 41, 2, 1, 0) == -1
            assert ctypes.get_errno() == errno.EACCES
        print(state.kernel_refusal == "" and state.is_network_blocked_by_kernel)
        """
    )
    assert said == "True"


@ON_LINUX
def test_children_of_the_vault_have_no_network_either() -> None:
    said = _in_hardened_process(
        """
        import subprocess, sys
        child = "import socket\\ntry:\\n socket.socket()\\nexcept OSError as e: print(e.errno)"
        subprocess.run([sys.executable, "-c", child], check=True)
        """
    )
    assert said == "13"


def test_python_refuses_network_operations_on_every_system() -> None:
    said = _in_hardened_process(
        """
        import socket
        refused = 0
        for call in (
            lambda: socket.socket(),
            lambda: socket.socket(socket.AF_UNIX),
            lambda: socket.getaddrinfo("localhost", 80),
            lambda: socket.gethostbyname("localhost"),
            lambda: socket.create_connection(("127.0.0.1", 9)),
        ):
            try:
                call()
            except PermissionError:
                refused += 1
        print(refused)
        """
    )
    assert said == "5"


@ON_LINUX
def test_no_core_dump_no_tracing_and_private_files(tmp_path: Path) -> None:
    said = _in_hardened_process(
        f"""
        import os, resource
        from pathlib import Path
        path = Path({str(tmp_path)!r}) / "file"
        path.write_text("x")
        status = Path("/proc/self/status").read_text()
        print(state.no_core_dumps, state.not_traceable, resource.getrlimit(resource.RLIMIT_CORE),
              oct(path.stat().st_mode & 0o777),
              "Seccomp:\\t2" in status, "NoNewPrivs:\\t1" in status)
        """
    )
    assert said == "True True (0, 0) 0o600 True True"


@ON_LINUX
def test_a_second_thread_or_an_unknown_processor_is_told_truthfully() -> None:
    said = _in_hardened_process(
        """
        import threading
        from wallet_gui.vault import network_block
        from wallet_gui.vault.hardening import Protections
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        refusal = network_block.block_by_kernel()
        stop.set()
        thread.join()
        print(refusal)
        print(Protections(refusal, False, False).sentences()[0])
        network_block.platform.machine = lambda: "riscv64"
        print(network_block.block_by_kernel())
        """
    )
    first, sentence, third = said.splitlines()
    assert first == "the process had other threads already"
    assert "does not enforce it" in sentence
    assert "riscv64" in third
