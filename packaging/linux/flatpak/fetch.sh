#!/bin/sh
# Fetches the packages of the two locks for the Flatpak, each checked by its hash, from the index
# that pip uses on this machine. 3.12 is the Python of the runtime that the manifest names.
set -eu
cd -- "$(dirname -- "$0")/../../.."
fetch() {
    python3 -m pip download --quiet --dest "build/flatpak-wheels/$1" --requirement "$2" \
        --require-hashes --no-deps --only-binary=:all: --python-version 3.12 \
        --implementation cp --abi cp312 --abi abi3 --abi none --platform manylinux_2_34_x86_64 \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 --platform manylinux1_x86_64
}
mkdir -p build/flatpak-wheels/run
# Without numpy, which the engine in C stands for: which of its versions the lock means depends on
# the Python that reads it, and here that is not the runtime's.
PYTHONPATH=packaging python3 -B -c '
from installers import freeze
print(freeze.without(freeze.ROOT / freeze.RUNTIME_LOCK, freeze.NOT_IN_THE_FOLDER), end="")
' >build/flatpak-wheels/run/requirements.lock
fetch run build/flatpak-wheels/run/requirements.lock
fetch build packaging/requirements-build.lock
