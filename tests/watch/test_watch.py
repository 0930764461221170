"""The page of a run that goes on, while files appear."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from torch.utils.tensorboard.writer import SummaryWriter

from groundrl.report.tensorboard import log_image
from groundrl.watch.page import newest_rollouts, render_page, version_of
from groundrl.watch.server import WatchServer, main


def log_steps(run_dir: Path, stage: str, steps: int) -> None:
    with SummaryWriter(str(run_dir / "tensorboard" / stage)) as writer:
        for step in range(1, steps + 1):
            writer.add_scalar("reward/total", 0.1 * step, step)
            log_image(writer, "rollouts", Image.new("RGB", (20 * step, 10), "red"), step)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WatchServer]:
    with WatchServer(tmp_path, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server: WatchServer, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request("GET", path, headers={"Host": f"{host}:{server.server_port}"})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_a_run_that_has_written_nothing_is_waited_for(tmp_path: Path) -> None:
    html = render_page(tmp_path)
    assert "waiting for the first step" in html
    assert "Newest rollouts" not in html


def test_the_page_shows_the_newest_rollouts_of_the_last_stage(tmp_path: Path) -> None:
    log_steps(tmp_path, "grpo", 3)
    found = newest_rollouts(tmp_path)
    assert found is not None
    assert (found.stage, found.step) == ("grpo", 3)
    html = render_page(tmp_path)
    assert "now: grpo" in html
    assert found.url in html
    assert "reward/total" in html


def test_the_version_changes_with_what_the_run_writes(tmp_path: Path) -> None:
    versions = [version_of(tmp_path)]
    log_steps(tmp_path, "sft", 2)
    versions.append(version_of(tmp_path))
    assert version_of(tmp_path) == versions[-1]
    (tmp_path / "metrics.json").write_text(json.dumps({"sft": {"tabletop/acc": 0.5}}))
    versions.append(version_of(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    assert version_of(tmp_path) == versions[-1]
    assert len(set(versions)) == 3


def test_the_server_answers_this_machine_only(server: WatchServer) -> None:
    status, html = get(server, "/")
    assert status == 200
    version = get(server, "/version")
    assert version == (200, version_of(server.run_dir))
    assert f'data-version="{version[1]}"' in html
    assert get(server, "/other")[0] == 404
    assert get(server, "/", host="example.org")[0] == 403


def test_a_folder_that_is_not_there_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none")]) == 2
    assert "there is no folder" in capsys.readouterr().err
