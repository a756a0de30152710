#!/bin/sh
# Installs Chromium for the tests beside this file, where nobody has to be asked: by apt-get, as root
# or by a sudo that needs no password. Elsewhere it says so and goes on; the tests then say what to do.
for name in "$SKY_SSL_CHROMIUM" chromium chromium-browser google-chrome; do
    [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 && exit 0
done
if ! command -v apt-get >/dev/null 2>&1; then
    echo "no Chromium, and no apt-get to install it with: please install it yourself" >&2
    exit 0
fi
if [ "$(id -u)" = 0 ]; then
    as=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as="sudo -n"
else
    echo "no Chromium, and no right to install it: please run apt-get install chromium" >&2
    exit 0
fi
$as apt-get update -qq
$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium \
    >/dev/null || echo "apt-get could not install Chromium: please install it yourself" >&2
