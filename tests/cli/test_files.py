"""What a verb saves is there whole, and nothing but a plain file is ever replaced."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from rollout.cli.files import save
from rollout.errors import OutputFailed


def test_a_plain_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    for text in ("old", "new"):
        save(str(file), text)
        assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe, heard = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    save(str(pipe), "hello")
    reader.join(timeout=20)
    assert heard == ["hello"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "page.html")
    save(str(tmp_path / "link"), "hello")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "page.html").read_text() == "hello"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OutputFailed, match="is a directory"):
        save(str(folder), "hello")
    assert list(tmp_path.iterdir()) == [folder]


def test_no_name_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputFailed):
        save("", "hello")
    assert list(tmp_path.iterdir()) == []
