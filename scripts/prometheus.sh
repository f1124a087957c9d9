#!/bin/sh
# Put a Prometheus server for the tests into .cache/prometheus; do nothing when it is there already.
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
    [ -x $folder/prometheus ] && [ -x $folder/promtool ]
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
command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 ||
    stop "no apt-get here: install Prometheus and promtool so that both are on the PATH (macOS: brew install prometheus)"

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
dpkg-deb -x "$work"/prometheus_*.deb "$work/unpacked"
mkdir "$work/ready"
mv "$work/unpacked/usr/bin/prometheus" "$work/unpacked/usr/bin/promtool" "$work/ready"
"$work/ready/prometheus" --version >/dev/null 2>&1 || stop "the Prometheus of this system's packages does not run here"
# Two at once: the second finds the folder there, and its own copy goes.
mv -T "$work/ready" $folder 2>/dev/null || ready || { rm -rf $folder && mv "$work/ready" $folder; }
