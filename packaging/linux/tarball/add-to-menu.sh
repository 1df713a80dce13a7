#!/bin/sh
# Puts the program in this folder into your own menu, for links and for .psbt files; --remove
# takes it out again. Nothing outside of your data folder is touched, and no wallet.
set -eu
umask 022

case ${1-} in
    "" | --remove) ;;
    *) echo "usage: $0 [--remove]" >&2; exit 2 ;;
esac

here=$(cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd -P)
data=${XDG_DATA_HOME:-$HOME/.local/share}
entries="wallet-gui.desktop wallet-gui-offline.desktop"

if [ "${1-}" = --remove ]; then
    for name in $entries; do rm -f -- "$data/applications/$name"; done
    rm -f -- "$data/mime/packages/wallet-gui.xml"
    for picture in "$data"/icons/hicolor/*/apps/wallet-gui.*; do rm -f -- "$picture"; done
else
    case $here in
        *%*)
            echo "Menus cannot start programs from a folder with % in its name: please rename it." >&2
            exit 1
            ;;
    esac
    # In an Exec line, the path stands in quotes with these characters escaped twice: once for the
    # quotes, once for the file. What means something to sed is escaped once more.
    program=$(printf '%s' "$here/wallet-gui" |
        sed -e 's/[\\"`$]/\\&/g' -e 's/\\/\\\\/g' -e 's/[\\&|]/\\&/g')
    mkdir -p -- "$data/applications" "$data/mime/packages" "$data/icons"
    for name in $entries; do
        sed "s|^Exec=wallet-gui|Exec=\"$program\"|" "$here/share/applications/$name" \
            >"$data/applications/$name.new"
        mv -f -- "$data/applications/$name.new" "$data/applications/$name"
    done
    cp -- "$here/share/mime/packages/wallet-gui.xml" "$data/mime/packages/"
    cp -R -- "$here/share/icons/hicolor" "$data/icons/"
fi

# What the desktop keeps of all this beside it, where the desktop keeps anything.
if command -v update-desktop-database >/dev/null; then
    update-desktop-database "$data/applications" || true
fi
if command -v update-mime-database >/dev/null; then
    update-mime-database "$data/mime" || true
fi
