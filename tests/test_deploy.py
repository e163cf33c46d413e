"""What stands in deploy/ fits the bot: the dashboard's metrics are there, and the unit is one that systemd takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
METRIC = re.compile(r"textbot_\w+")


def metrics() -> set[str]:
    """The names under which the bot's metrics are read; Prometheus' client adds to those of counters."""
    source = (ROOT / "bot" / "monitoring.py").read_text(encoding="utf-8")
    made = re.findall(r'(Gauge|Counter)MetricFamily\(\s*"(\w+)"', source)
    return {name + "_total" * (kind == "Counter") for kind, name in made}


def test_the_dashboard_shows_metrics_that_there_are() -> None:
    board = json.loads((ROOT / "deploy" / "grafana.json").read_text(encoding="utf-8"))
    targets = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert {name for asked in targets for name in METRIC.findall(asked)} == metrics()
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places)


def test_the_alerts_of_the_docs_are_about_metrics_that_there_are() -> None:
    text = (ROOT / "docs" / "discord.md").read_text(encoding="utf-8")
    alerts = text[text.index("| expression |") : text.index("More than a machine")]
    assert set(METRIC.findall(alerts)) <= metrics()


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (ROOT / "deploy" / "textbot.service").read_text(encoding="utf-8")
    there = tmp_path / "textbot.service"
    there.write_text(unit.replace("/opt/textbot/bin/textbot", sys.executable), encoding="utf-8")
    checked = subprocess.run(["systemd-analyze", "verify", str(there)], capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")
