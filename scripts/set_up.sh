#!/bin/sh
# Make .venv hold exactly what requirements.lock says, and this project; do nothing when it already does.
#
# The stamp is written last and holds checksums of contents, because `git clone` gives every file a new
# time, and because a set-up that was interrupted must never be mistaken for a finished one.
set -eu

cd "$(dirname "$0")/.."
venv=.venv
stamp=$venv/set-up.stamp
lock_folder=.cache/set-up.lock
log=.cache/set-up.log
wait_limit_s=900

stop() {
    echo "rollout: $1" >&2
    exit 2
}

checksum() {
    cat "$@" | cksum | cut -d ' ' -f 1-2
}

python_version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# What .venv rests on. A virtual environment holds absolute paths, so its folder is part of it.
foundation() {
    echo "packages: $(checksum requirements.lock scripts/set_up.sh) in $(pwd -P)"
}

project() {
    echo "project: $(checksum pyproject.toml)"
}

chosen_python_is_the_one_inside() {
    [ -z "${PYTHON:-}" ] || [ "$(python_version "$PYTHON")" = "$(python_version $venv/bin/python)" ]
}

stamp_has() {
    [ -f $stamp ] && grep -qxF "$1" $stamp && chosen_python_is_the_one_inside && [ -x $venv/bin/python ]
}

ready() {
    stamp_has "$(foundation)" && stamp_has "$(project)"
}

check_python() {
    command -v "$python" >/dev/null 2>&1 ||
        stop "no '$python' found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.12"
    found=$(python_version "$python") ||
        stop "'$python' does not run: name another Python 3.11 or newer: make PYTHON=/path/to/python3.12"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        stop "'$python' is Python $found, but 3.11 or newer is needed: install it, or name one: make PYTHON=python3.12"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        stop "'$python' cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python$found-venv)"
}

explain_failure() {
    tail -n 15 $log >&2
    if grep -qE 'DO NOT MATCH THE HASHES' $log; then
        stop "a package is not the one in requirements.lock: see $log; if you changed the lock, run: make lock"
    elif grep -qE 'NewConnectionError|NameResolution|ConnectTimeout|Connection (refused|aborted|reset|broken)|ProxyError|Network is unreachable|Read timed out|Could not connect|Failed to establish' $log; then
        stop "the package registry cannot be reached: check the network and pip's settings (pip config list), then run make again"
    elif grep -qE 'No space left' $log; then
        stop "the disk is full: about 1 GB is needed for $venv"
    fi
    stop "setting up $venv failed: the lines above and $log say why; then run make again"
}

run() {
    "$@" >>$log 2>&1 || explain_failure
}

take_turn() {
    mkdir -p .cache
    waited_s=0
    until mkdir $lock_folder 2>/dev/null; do
        owner=$(cat $lock_folder/pid 2>/dev/null || true)
        if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
            rm -rf $lock_folder
            continue
        fi
        [ $waited_s -gt 0 ] || echo "Another make is setting up $venv; waiting for it …" >&2
        sleep 1
        waited_s=$((waited_s + 1))
        [ $waited_s -lt $wait_limit_s ] ||
            stop "another set-up still holds $lock_folder after $wait_limit_s s: delete that folder if none runs"
    done
    trap 'rm -rf $lock_folder' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    echo $$ >$lock_folder/pid
}

install_packages() {
    python=${PYTHON:-python3}
    check_python
    echo "Setting up $venv with Python $found from requirements.lock (once, about a minute) …" >&2
    rm -rf $venv
    run "$python" -m venv $venv
    run $venv/bin/python -m pip install --disable-pip-version-check --no-input --retries 2 \
        --require-hashes -r requirements.lock
}

install_project() {
    run $venv/bin/python -m pip install --disable-pip-version-check --no-input --no-index \
        --no-deps --no-build-isolation -e .
}

if ready; then exit 0; fi
take_turn
if ready; then exit 0; fi
: >$log
if stamp_has "$(foundation)"; then rm $stamp; else install_packages; fi
install_project
{ foundation; project; } >$stamp.new
mv $stamp.new $stamp
