#!/usr/bin/env bash
# Puts the signing certificate and the key of Apple's notary service into a keychain of this job
# alone, and takes it away again:
#
#     keychain.sh open      needs CERTIFICATE (base64 of a .p12), CERTIFICATE_PASSWORD, and, to have
#                           it notarised, NOTARY_KEY (base64 of a .p8), NOTARY_KEY_ID, NOTARY_ISSUER
#     keychain.sh close
#
# All of them are secrets of the CI's environment "release". `open` prints the lines, NAME=value, of
# the environment that installers/dmg.py reads; none of them is a secret.
set -euo pipefail
umask 077
place="${RUNNER_TEMP:?}/wallet-gui-signing"
keychain="$place/release.keychain-db"

if [ "${1:-}" = close ]; then
    security delete-keychain "$keychain" 2>/dev/null || true
    rm -rf "$place"
    exit 0
fi
[ "${1:-}" = open ]
mkdir -p "$place"
password=$(openssl rand -hex 32)
printf '%s' "${CERTIFICATE:?}" | base64 --decode >"$place/certificate.p12"
security create-keychain -p "$password" "$keychain"
security set-keychain-settings -lut 3600 "$keychain"
security unlock-keychain -p "$password" "$keychain"
security import "$place/certificate.p12" -k "$keychain" -P "${CERTIFICATE_PASSWORD:?}" \
    -T /usr/bin/codesign
rm "$place/certificate.p12"
security set-key-partition-list -S apple-tool:,apple: -s -k "$password" "$keychain" >/dev/null
security list-keychains -d user -s "$keychain" login.keychain-db
identity=$(security find-identity -v -p codesigning "$keychain" |
    sed -n 's/.*"\(Developer ID Application: .*\)"$/\1/p' | head -n 1)
echo "CODESIGN_IDENTITY=${identity:?no certificate of the kind Developer ID Application}"
if [ -n "${NOTARY_KEY:-}" ]; then
    printf '%s' "$NOTARY_KEY" | base64 --decode >"$place/notary.p8"
    xcrun notarytool store-credentials wallet-gui --keychain "$keychain" \
        --key "$place/notary.p8" --key-id "${NOTARY_KEY_ID:?}" --issuer "${NOTARY_ISSUER:?}" >&2
    rm "$place/notary.p8"
    echo "NOTARY_KEYCHAIN=$keychain"
fi
