"""Start, memory and size beside Electrum and Bitcoin Safe, from packages, on the same machine.

    python -m tests.benchmarks.bench_packages [--ours PATH] [--warm 5] [--cold 3] [--no-rivals]

PATH is our .deb or the frozen folder; without it the program runs from source. Needs to be root,
mmdebstrap, Xvfb, openbox, xdotool; the first run downloads the other two (about 600 MB).

Every start has a screen of its own (Xvfb and openbox), no network, an ordinary user, and a home
whose first questions (language; kind of network) are answered: what appears is the page on which a
wallet is made or chosen. The programs take turns. Told are, as medians:

window      from exec to the first picture that fills 2 % of the screen
usable      from exec to the last change of the picture before it stays as it is (all but 0.2 %
            of the screen: the words of a status bar); then Tab must change it
CPU         seconds of processor time of all its processes until then: steadier than the clock
            where other programs run on the machine
RSS, PSS    of all its processes, five seconds later
cold        after the kernel has dropped every cached file
installed   what comes on disk over a bare Debian that has the libraries of X and OpenGL: Electrum
            and Bitcoin Safe with Python, Qt and all else that they need; ours, which has it inside
download    the same as packages
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.first_window import USER, Launch, Start, answered_home, screen, watch
from tests.benchmarks.package_roots import (
    CannotPrepare,
    Wallet,
    bitcoin_safe,
    electrum,
    wallet_gui,
    wallet_gui_from_source,
)

REPOSITORY: Final = Path(__file__).resolve().parents[2]
MEMORY_AFTER: Final = 5.0
_MB: Final = 1e6
_MIB: Final = 2**20

Starts = dict[str, list[Start]]


def prepare(ours: Path | None, *, rivals: bool) -> list[Wallet]:
    """Ours first, then those that can be had here; the reason is printed for one that cannot."""
    mine = wallet_gui_from_source(REPOSITORY, sys.executable) if ours is None else wallet_gui(ours)
    wallets = [mine]
    for make in (electrum, bitcoin_safe) if rivals else ():
        try:
            wallets.append(make())
        except CannotPrepare as problem:
            print(f"left out: {make.__name__}: {problem}", file=sys.stderr)
    return wallets


def drop_caches() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def measure(
    wallets: Sequence[Wallet], rounds: int, *, cold: bool, pictures: Path | None, homes: Path
) -> Starts:
    """Start every wallet once in each round, in turns."""
    starts: Starts = {wallet.name: [] for wallet in wallets}
    for number in range(rounds):
        for wallet in wallets:
            launch = _launch(wallet, homes / wallet.name)
            with screen() as on:
                if cold:
                    drop_caches()
                picture = None
                if pictures is not None and not number and not cold:
                    picture = pictures / f"{wallet.name.split()[0].lower()}.png"
                starts[wallet.name].append(
                    watch(launch, on, memory_after=MEMORY_AFTER, picture=picture)
                )
    return starts


def _launch(wallet: Wallet, home: Path | None) -> Launch:
    # The Python of a developer's own environment need not be open to others.
    user = os.geteuid() if wallet.root == Path("/") else USER
    return Launch(wallet.root, wallet.command, home, wallet.environment, user)


def _median(starts: Sequence[Start], what: Callable[[Start], float]) -> float:
    return statistics.median(what(start) for start in starts)


def table(wallets: Sequence[Wallet], warm: Starts, cold: Starts) -> list[list[str]]:
    """One row for each figure: what it is, then every wallet, then the others over ours."""
    rows = [["", *(wallet.name for wallet in wallets), *(f"/{n}" for n in range(len(wallets) - 1))]]

    def add(name: str, figures: Sequence[float | None], form: str) -> None:
        ours = figures[0]
        ratios = [f"{other / ours:.1f} x" if ours and other else "-" for other in figures[1:]]
        rows.append([name, *("-" if v is None else form.format(v) for v in figures), *ratios])

    seconds, mebibytes = "{:.2f} s", "{:.0f} MiB"
    for word, starts in (("warm", warm), ("cold", cold)):
        if not all(starts.values()):
            continue

        def over(what: Callable[[Start], float], starts: Starts = starts) -> list[float]:
            return [_median(starts[wallet.name], what) for wallet in wallets]

        add(f"window, {word}", over(lambda s: s.shown), seconds)
        add(f"usable, {word}", over(lambda s: s.usable), seconds)
        add(f"CPU to window, {word}", over(lambda s: s.shown_cpu), seconds)
        add(f"CPU to usable, {word}", over(lambda s: s.usable_cpu), seconds)
        if starts is warm:
            add("answer to a key", over(lambda s: s.answer), seconds)
            add("RSS", over(lambda s: s.resident / _MIB), mebibytes)
            add("PSS", over(lambda s: s.proportional / _MIB), mebibytes)
            add("processes", over(lambda s: s.processes), "{:.0f}")
    sizes = [wallet.size for wallet in wallets]
    megabytes = "{:.0f} MB"
    add("installed", [None if s is None else s.installed / _MB for s in sizes], megabytes)
    add("download", [None if s is None else s.download / _MB for s in sizes], megabytes)
    rows[0][len(wallets) + 1 :] = [f"{wallet.name.split()[0]} / ours" for wallet in wallets[1:]]
    return rows


def show(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, *figures in rows:
        cells = [name.ljust(widths[0])]
        cells += [f.rjust(width) for f, width in zip(figures, widths[1:], strict=True)]
        print("  ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description="Start, memory and size beside two other wallets.")
    parser.add_argument("--ours", type=Path, help="our .deb or frozen folder; else from source")
    parser.add_argument("--warm", type=int, default=5)
    parser.add_argument("--cold", type=int, default=3)
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--pictures", type=Path, help="save what was on screen to this folder")
    parser.add_argument("--isolated", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.isolated:
        # What is mounted into the roots is there for this run only, and leaves with it.
        again = (sys.executable, "-m", "tests.benchmarks.bench_packages", "--isolated")
        sys.exit(subprocess.run(("unshare", "-m", *again, *sys.argv[1:]), check=False).returncode)
    try:
        wallets = prepare(options.ours, rivals=not options.no_rivals)
    except CannotPrepare as problem:
        sys.exit(f"bench_packages: {problem}")
    for root in {wallet.root for wallet in wallets} - {Path("/")}:
        for kind in ("proc", "dev", "tmp/.X11-unix"):
            (root / kind).mkdir(exist_ok=True)
            subprocess.run(("mount", "--rbind", f"/{kind}", str(root / kind)), check=True)
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="homes-") as folder:
        homes = Path(folder)
        for wallet in wallets:
            with screen() as on:
                launch = _launch(wallet, None)
                answered_home(launch, on, wallet.first_answer, homes / wallet.name)
        rest = {"pictures": options.pictures, "homes": homes}
        warm = measure(wallets, options.warm, cold=False, **rest)
        cold = measure(wallets, options.cold, cold=True, **rest)
    show(table(wallets, warm, cold))
    print(f"\nrounds: {options.warm} warm, {options.cold} cold; {os.cpu_count()} cores;", end=" ")
    print(f"load {before:.1f} before, {os.getloadavg()[0]:.1f} after")
    for wallet in wallets:
        if wallet.size is not None:
            print(f"size of {wallet.name}: {wallet.size.made_of}")


if __name__ == "__main__":
    main()
