#!/bin/sh
# Put a Prometheus server for the tests into .cache/prometheus; do nothing where there is one already.
#
# The Debian package is only unpacked: it needs no root, installs nothing, and no service is ever started.
set -eu

cd "$(dirname "$0")/.."
folder=.cache/prometheus

stop() {
    echo "rollout: $1" >&2
    exit 2
}

ready() {
    { [ -x $folder/prometheus ] && [ -x $folder/promtool ]; } ||
        { command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1; }
}

# The lists of packages in a folder of ours: whoever has no root can renew those too.
private_apt() {
    mkdir -p "$work/lists/partial" "$work/archives/partial"
    apt-get -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" -o Dir::Cache::archives="$work/archives" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}

download() {
    (cd "$work" && apt-get -o APT::Sandbox::User="$(id -un)" download prometheus) >"$work/log" 2>&1 && return
    { private_apt update && (cd "$work" && private_apt download prometheus); } >>"$work/log" 2>&1
}

if ready; then exit 0; fi
if ! { command -v apt-get && command -v dpkg-deb; } >/dev/null 2>&1; then
    if command -v brew >/dev/null 2>&1; then
        echo "Installing Prometheus for the tests (once) …" >&2
        brew install --quiet prometheus >&2 || stop "Homebrew cannot install Prometheus: the lines above say why"
        exit 0
    fi
    stop "neither apt-get nor Homebrew here: install Prometheus so that prometheus and promtool are on the PATH"
fi

mkdir -p .cache
work=$(mktemp -d "$(pwd -P)/.cache/prometheus.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
echo "Downloading Prometheus for the tests (once, about 20 MB) …" >&2
if ! download; then
    tail -n 5 "$work/log" >&2
    stop "Prometheus cannot be downloaded: check the network and apt's sources, then run: make prometheus"
fi
dpkg-deb -x "$work"/prometheus_*.deb "$work/unpacked" || stop "the package cannot be unpacked: is the disk full?"
mkdir "$work/ready"
mv "$work/unpacked/usr/bin/prometheus" "$work/unpacked/usr/bin/promtool" "$work/ready"
"$work/ready/prometheus" --version >/dev/null 2>&1 || stop "this system's Prometheus package does not run here"
# Of two at once the second finds the folder there, and its own copy goes.
mv -T "$work/ready" $folder 2>/dev/null || ready || stop "$folder is in the way: delete it, then run: make prometheus"
