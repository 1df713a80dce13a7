import subprocess
import sys

from wallet_gui.transfer import qr_frames

KEPT_OUT = ("asyncio", "asyncssh", "socket", "ssl", "selectors", "PySide6", "sqlite3")


def test_the_process_that_holds_keys_can_import_it() -> None:
    modules = ("bbqr", "bytewords", "cbor", "fountain", "qr_frames", "recognition", "ur", "ur_keys")
    assert qr_frames.__name__ == "wallet_gui.transfer.qr_frames"
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        + "".join(f"import wallet_gui.transfer.{name}\n" for name in modules)
        + f"print(sorted(set({KEPT_OUT!r}) & (set(sys.modules) - before)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
