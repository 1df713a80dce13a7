#!/usr/bin/env bash
# Runs a command as root in a bare Debian 12, the checkout its working folder; the first call makes
# it. GitHub's machines are Ubuntu, and carry much that a person's machine does not have.
set -euo pipefail
root="${RUNNER_TEMP:?}/debian"
if [ ! -e "$root/made" ]; then
    sudo apt-get -qq update
    sudo apt-get -qq install --yes --no-install-recommends debootstrap debian-archive-keyring
    sudo debootstrap --variant=minbase --include=git,python3 --force-check-gpg \
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg bookworm "$root"
    # What Debian has repaired since, from beside where the rest came from: the roots that packages
    # are built in have the sources of this one.
    sources="$root/etc/apt/sources.list"
    site=$(sed -n 's|^deb \(.*\)/debian/* bookworm main$|\1|p' "$sources")
    printf 'deb %s bookworm-%s main\n' "${site:?}/debian" updates "$site/debian-security" security |
        sudo tee -a "$sources" >/dev/null
    for place in proc sys dev dev/pts; do
        sudo mount --bind "/$place" "$root/$place"
    done
    sudo mkdir "$root/checkout"
    sudo mount --bind "${GITHUB_WORKSPACE:?}" "$root/checkout"
    # The checkout belongs to another user than root.
    sudo chroot "$root" git config --system --add safe.directory /checkout
    sudo touch "$root/made"
fi
exec sudo chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    sh -c 'cd /checkout && exec "$@"' sh "$@"
