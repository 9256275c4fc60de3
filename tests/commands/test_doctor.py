"""`parley doctor` tells what is wrong and how to mend it, about things that really are wrong."""

import http.server
import importlib.metadata
import json
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks.fake_engines import FakeRecognizer, FakeVoice
from context.home import Home
from context.store.database import Store
from context.tenants.config import EngineChoice
from server.commands import doctor
from server.diagnosis import machine, speech, state
from server.diagnosis.report import WIDTH, Finding, Verdict, fail, lines, ok, summed_up, warn
from server.health import Health, HealthReport
from server.ports import Service
from tests.context.clinic import clinic
from voice_core.errors import EngineError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def port_variables(port: int) -> dict[str, str]:
    """All three services on one port: the checks do not run at the same time."""
    return {service.variable: str(port) for service in Service}


class TestMachine:
    def test_an_old_python_is_not_enough(self) -> None:
        assert machine.python((3, 10, 9)).verdict is Verdict.FAIL
        assert machine.python((3, 11, 0)).verdict is Verdict.OK

    def test_every_declared_package_is_here(self) -> None:
        findings = list(machine.packages())
        assert {finding.verdict for finding in findings} == {Verdict.OK}
        assert f"msgspec {importlib.metadata.version('msgspec')}" in findings[0].detail

    def test_a_missing_package_is_named_with_the_command_that_installs_it(self) -> None:
        def version_of(name: str) -> str:
            if name in ("soxr", "piper-tts"):
                raise importlib.metadata.PackageNotFoundError(name)
            return "1.0"

        missing, present, optional = machine.packages(version_of)
        assert missing.verdict is Verdict.FAIL
        assert 'pip install "soxr' in missing.fix
        assert "piper" not in missing.fix
        assert "soxr" not in present.detail
        assert "piper (not installed)" in optional.detail
        assert optional.verdict is Verdict.OK

    def test_one_core_is_a_warning(self) -> None:
        assert machine.processor(1).verdict is Verdict.WARN
        assert machine.processor(2).verdict is Verdict.OK

    def test_little_memory_is_a_warning_and_a_system_that_does_not_tell_is_none(self, tmp_path: Path) -> None:
        meminfo = tmp_path / "meminfo"
        for kib, verdict in ((500_000, Verdict.WARN), (8_000_000, Verdict.OK)):
            meminfo.write_text(f"MemTotal:  16000000 kB\nMemAvailable:  {kib} kB\n")
            assert [finding.verdict for finding in machine.memory(meminfo)] == [verdict]
        assert list(machine.memory(tmp_path / "nothing")) == []

    @pytest.mark.parametrize(
        ("free", "verdict"), [(10 << 20, Verdict.FAIL), (2 << 30, Verdict.WARN), (50 << 30, Verdict.OK)]
    )
    def test_a_full_disk_is_told_before_a_recording_fails(self, tmp_path: Path, free: int, verdict: Verdict) -> None:
        assert machine.disk(tmp_path, free).verdict is verdict


class TestPorts:
    def test_a_free_port_is_fine(self) -> None:
        assert {finding.verdict for finding in machine.ports(port_variables(free_port()))} == {Verdict.OK}

    def test_a_port_taken_by_another_program_is_told_with_the_setting_that_changes_it(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            taken = {Service.VOICE.variable: str(silent.getsockname()[1])}
            silent.settimeout(0.1)
            finding = {one.name: one for one in machine.ports({**port_variables(free_port()), **taken})}["port voice"]
        assert finding.verdict is Verdict.FAIL
        assert "PARLEY_PORT_VOICE" in finding.fix

    def test_a_port_on_which_parley_answers_is_fine(self, readyz: int) -> None:
        findings = list(machine.ports(port_variables(readyz)))
        assert [finding.verdict for finding in findings] == [Verdict.OK] * 3
        assert "a Parley is running" in findings[0].detail

    def test_a_port_that_is_no_number_is_told(self) -> None:
        assert {finding.verdict for finding in machine.ports({s.variable: "x" for s in Service})} == {Verdict.FAIL}

    @pytest.fixture
    def readyz(self) -> Iterator[int]:
        """A server that answers /readyz as Parley does."""
        answer = Health().answer("/readyz")
        assert answer
        status, body = answer
        assert HealthReport.__struct_fields__ == ("status", "doing")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as listener:
            thread = threading.Thread(target=listener.serve_forever, daemon=True)
            thread.start()
            yield listener.server_address[1]
            listener.shutdown()
            thread.join()


class TestState:
    def test_a_home_that_can_be_written_is_left_clean(self, parley_home: Path) -> None:
        home, finding = state.open_home(None)
        assert home
        assert finding.verdict is Verdict.OK
        assert {path.name for path in parley_home.iterdir()} == {"recordings", "models", "tenants", "parley.db"}

    def test_a_home_in_the_way_of_a_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        home, finding = state.open_home(str(tmp_path / "file"))
        assert home is None
        assert finding.verdict is Verdict.FAIL
        assert "PARLEY_HOME" in finding.detail

    async def test_a_database_that_is_too_new_is_told(self, tmp_path: Path) -> None:
        home = Home.open(tmp_path / "home")
        await (await Store.open(home.database_url)).aclose()
        assert (await state.database(home.database_url)).verdict is Verdict.OK
        with sqlite3.connect(home.database) as plain:
            plain.execute("UPDATE alembic_version SET version_num = '9999'")
        finding = await state.database(home.database_url)
        assert finding.verdict is Verdict.FAIL
        assert "newer" in finding.detail

    async def test_the_databases_password_is_not_shown(self) -> None:
        finding = await state.database("postgresql+asyncpg://parley:hunter2@127.0.0.1:1/parley")
        assert finding.verdict is Verdict.FAIL
        assert "hunter2" not in finding.detail + finding.fix

    def test_the_demo_tenant_is_served_by_a_fresh_home(self, tmp_path: Path) -> None:
        found = state.tenants(tmp_path)
        assert {finding.verdict for finding in found.findings} == {Verdict.OK}
        assert {"en", "fr"} <= set(found.languages)

    def test_a_bad_tenant_file_is_told_with_its_fault(self, tmp_path: Path) -> None:
        (tmp_path / "shop.yaml").write_text("id: shop\ncolour: red\n")
        problems = [one for one in state.tenants(tmp_path).findings if one.verdict is Verdict.FAIL]
        assert len(problems) == 1
        assert "shop.yaml" in problems[0].detail
        assert "$.colour" in problems[0].detail


class TestEngines:
    def found(self, environment: dict[str, str], *names: str) -> list[Finding]:
        tenant = clinic(engines=EngineChoice(stt=(*names, "embedded"), tts=("embedded",)))
        return list(state.engines([tenant], environment))

    def test_the_embedded_engines_need_nothing_here(self) -> None:
        assert self.found({}) == []

    def test_a_plugin_that_is_not_installed_is_told_with_its_package(self) -> None:
        (finding,) = self.found({}, "nosuchprovider/x")
        assert finding.verdict is Verdict.FAIL
        assert finding.fix == "pip install livekit-plugins-nosuchprovider"

    def test_a_missing_key_is_told_by_name_and_a_present_one_is_never_shown(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(state, "installed", lambda provider: True)
        (missing,) = self.found({}, "deepgram/nova-3")
        assert missing.verdict is Verdict.FAIL
        assert "DEEPGRAM_API_KEY" in missing.fix
        (present,) = self.found({"DEEPGRAM_API_KEY": "sk-very-secret"}, "deepgram/nova-3")
        assert present.verdict is Verdict.OK
        assert "sk-very-secret" not in present.detail

    def test_a_piper_voice_needs_both_its_files(self, tmp_path: Path) -> None:
        voice = tmp_path / "joe.onnx"
        voice.write_bytes(b"")
        (finding,) = self.found({}, f"piper:{voice}")
        assert finding.verdict is Verdict.FAIL
        assert "joe.onnx.json" in finding.detail
        (tmp_path / "joe.onnx.json").write_text("{}")
        assert self.found({}, f"piper:{voice}")[0].verdict is Verdict.OK


class TestSpeech:
    spoken = np.ones(16_000, np.int16)

    async def test_a_voice_that_speaks_gives_audio_at_16_khz(self) -> None:
        pcm, finding = await speech.speak(FakeVoice(ms_per_word=250), "en")
        assert finding.verdict is Verdict.OK
        assert pcm.size == pytest.approx(len(speech.SENTENCES["en"].split()) * 0.25 * 16_000, rel=0.01)

    async def test_a_voice_that_fails_or_stays_silent_is_told(self) -> None:
        for broken in (FakeVoice(failure=lambda text: EngineError("no voice")), FakeVoice(ms_per_word=0)):
            pcm, finding = await speech.speak(broken, "en")
            assert finding.verdict is Verdict.FAIL
            assert pcm.size == 0

    @pytest.mark.parametrize(
        ("heard", "verdict"),
        [
            (speech.SENTENCES["en"].lower(), Verdict.OK),
            ("the clinic open on tuesday", Verdict.OK),
            ("thank you for watching", Verdict.WARN),
            ("", Verdict.FAIL),
            (EngineError("out of memory"), Verdict.FAIL),
        ],
    )
    async def test_what_was_heard_is_compared_with_what_was_said(
        self, heard: str | EngineError, verdict: Verdict
    ) -> None:
        recognizer = FakeRecognizer([heard])
        assert (await speech.hear(recognizer, self.spoken, "en")).verdict is verdict
        assert recognizer.closed

    async def test_noise_is_not_noticed_as_speech(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(speech, "EDGE_TIMEOUT_S", 0.3)
        assert (await speech.detect(np.zeros(16_000, np.int16))).verdict is Verdict.FAIL

    async def test_the_engines_that_ship_really_speak_notice_and_hear(self, tmp_path: Path) -> None:
        findings = [finding async for finding in speech.examine(("en",), tmp_path)]
        assert [finding.name for finding in findings] == [
            "voices",
            "recognition",
            "speaking en",
            "voice activity",
            "hearing en",
        ]
        assert {finding.verdict for finding in findings} == {Verdict.OK}


class TestReport:
    def test_the_worst_finding_decides(self) -> None:
        good, worse, bad = ok("a", "b"), warn("a", "b", "c"), fail("a", "b", "c")
        assert summed_up([good]).verdict is Verdict.OK
        assert summed_up([good, worse]).verdict is Verdict.WARN
        assert summed_up([good, bad, worse]).verdict is Verdict.FAIL

    def test_a_row_fits_the_terminal_and_keeps_every_word_and_line(self) -> None:
        finding = fail(
            "packages", "missing: " + ", ".join(f"package-{n}" for n in range(40)) + "\n  line 3, $.a", "fix"
        )
        rows = list(lines(finding))
        assert all(len(row) <= WIDTH for row in rows)
        assert all(f"package-{n}" in "".join(rows) for n in range(40))
        assert any("  line 3, $.a" in row for row in rows)
        assert rows[-1].strip() == "-> fix"


class TestCommand:
    """The whole command, with the checks that are slow or depend on the machine replaced."""

    @pytest.fixture
    def app(self, parley_home: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
        async def examine(languages: tuple[str, ...], models: Path) -> AsyncIterator[Finding]:
            yield ok("speaking", f"{languages[0]} below {models.parent.name}")

        monkeypatch.setattr(speech, "examine", examine)
        for name, value in port_variables(free_port()).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(machine, "disk", lambda root: ok("disk", "enough"))
        monkeypatch.setattr(machine, "memory", lambda: [ok("memory", "enough")])
        monkeypatch.setattr(machine, "processor", lambda: ok("processor", "enough"))
        app = typer.Typer()
        doctor.register(app)
        return app

    def test_a_healthy_machine_ends_with_exit_code_0(self, app: typer.Typer) -> None:
        result = CliRunner().invoke(app, [])
        assert result.exit_code == 0, result.output
        assert "can take calls" in result.output
        assert "FAIL" not in result.output

    def test_something_that_must_be_mended_ends_with_exit_code_1(self, app: typer.Typer, parley_home: Path) -> None:
        (Home.open(parley_home).tenants / "bad.yaml").write_text("[")
        result = CliRunner().invoke(app, [])
        assert result.exit_code == 1
        assert "bad.yaml" in result.output
        assert "1 thing must be mended" in result.output

    def test_json_holds_every_finding_and_nothing_else(self, app: typer.Typer) -> None:
        report = json.loads(CliRunner().invoke(app, ["--json"]).output)
        assert report["verdict"] == "ok"
        names = {finding["name"] for finding in report["findings"]}
        assert {"Python", "packages", "port voice", "home", "database", "tenant", "speaking"} <= names

    def test_a_check_that_breaks_is_a_finding_and_the_others_still_run(
        self, app: typer.Typer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken() -> list[Finding]:
            raise RuntimeError("no such thing")

        monkeypatch.setattr(machine, "ports", broken)
        result = CliRunner().invoke(app, [])
        assert result.exit_code == 1
        assert "RuntimeError: no such thing" in result.output
        assert "speaking" in result.output
