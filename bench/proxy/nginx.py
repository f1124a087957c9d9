"""nginx as a peer: `split_clients` on the unit header, and a JSON log; it has no fallback of this kind."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.proxy.ports import answering

MISSING: Final = (
    "nginx is not found on this machine (Debian: apt-get install nginx-light): its rows are left out"
)
_FILE: Final = """\
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 1024; }}
http {{
  split_clients $http_x_user_id $arm {{ 50% candidate; * control; }}
  log_format json escape=json '{{"ts":"$msec","unit":"$http_x_user_id","route":"$arm",'
    '"served":"$upstream_addr","att":"$upstream_status","code":$status,"dur_s":"$request_time"}}';
  access_log access.log json buffer=64k flush=200ms;
  keepalive_requests 1000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream control {{ server 127.0.0.1:{baseline}; keepalive 64; keepalive_requests 1000000; }}
  upstream candidate {{ server 127.0.0.1:{candidate}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://$arm;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header x-rollout-variant $arm;
      add_header x-rollout-variant $arm;
    }}
  }}
}}
"""


def found() -> str | None:
    """Return the program, or nothing where there is none."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")


@contextmanager
def serving(folder: Path, program: str, port: int, upstreams: tuple[int, int]) -> Iterator[int]:
    """Run it as one process until the block ends, and return the process's number."""
    folder.mkdir(parents=True)
    baseline, candidate = upstreams
    (folder / "nginx.conf").write_text(
        _FILE.format(port=port, baseline=baseline, candidate=candidate), encoding="utf-8"
    )
    arguments = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    process = subprocess.Popen(arguments, cwd=folder, start_new_session=True)
    try:
        answering(port, process)
        yield process.pid
    finally:
        process.kill()
        process.communicate()
