#!/bin/sh
# Write requirements.lock: every dependency, exact and hashed, for every platform and Python we support.
#
# With --upgrade the newest allowed releases are taken, otherwise what is locked stays if it can.
# Index addresses, folders of wheels and settings of this machine must not reach the file.
set -eu

cd "$(dirname "$0")/.."
if [ -x .venv/bin/uv ]; then
    uv=.venv/bin/uv
elif command -v uv >/dev/null 2>&1; then
    uv=uv
else
    echo "rollout: no uv found: run 'make setup' first, or install uv (pip install uv)" >&2
    exit 2
fi

unset UV_FIND_LINKS PIP_FIND_LINKS
# One version for every Python (fewest forks), so that one lock is tested everywhere.
exec "$uv" pip compile pyproject.toml --group dev --output-file requirements.lock "$@" \
    --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
    --no-config --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet
