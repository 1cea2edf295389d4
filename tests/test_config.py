"""Settings: bad values are said without being shown, and keys stay out of every text."""

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestra_app import config
from orchestra_app.config import Settings, key, load_settings, redact, secrets
from orchestra_app.core.errors import ConfigError

BAD = [
    ("DAILY_CAP", "ten dollars", "not a number"),
    ("DAILY_CAP", "nan", "finite"),
    ("DAILY_CAP", "inf", "finite"),
    ("DAILY_CAP", "1e999", "finite"),
    ("DAILY_CAP", "-3.5", "above 0"),
    ("DAILY_CAP", "0", "above 0"),
    ("VISITOR_CAP", "0x10", "not a number"),
    ("VISITOR_CAP", "1,50", "not a number"),
    ("DATABASE_URL", "mysql://root:hunter22@host/db", "database"),
    ("DATABASE_URL", "/var/hunter22.db", "database"),
    ("POLICY_URL", "localhost-8000", "http"),
    ("POLICY_URL", "ftp://gpu:8000/v1", "http"),
    ("POLICY_URL", "http://", "http"),
    ("POLICY_URL", "http://gpu:70000/v1", "http"),
    ("POLICY_URL", "http://[::1/v1", "http"),
    ("POLICY_URL", "http://someone:hunter22@gpu:8000/v1", "password"),
    ("HOME", "~nobody-of-this-name/orchestra", "folder"),
    ("HOME", "/dev/null", "folder"),
]


@pytest.mark.parametrize(("name", "value", "reason"), BAD)
def test_a_bad_value_is_named_with_what_is_expected_and_never_shown(monkeypatch, name, value, reason):
    monkeypatch.setenv(f"ORCHESTRA_{name}", value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    said = str(caught.value)
    assert said.startswith(f"ORCHESTRA_{name} cannot be used: ") and reason in said and "Set it to" in said
    assert "hunter22" not in said and (len(value) < 8 or value not in said)
    assert caught.value.__cause__ is None and "hunter22" not in repr(caught.value)


def test_every_setting_is_read_from_its_variable_and_trimmed(monkeypatch, tmp_path):
    values = {
        "HOME": str(tmp_path),
        "CATALOG": "live",
        "DATABASE_URL": "postgresql://me:secret-word@host/name",
        "POLICY_URL": " http://gpu:8000/v1/ ",
        "POLICY_MODEL": "my/policy",
        "DAILY_CAP": "5",
        "VISITOR_CAP": "0.25",
        "ADMINS": " ada, grace ,,",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"ORCHESTRA_{name}", value)
    settings = load_settings()
    assert (settings.home, settings.catalog, settings.policy_model) == (tmp_path, "live", "my/policy")
    assert (settings.policy_url, settings.admins) == ("http://gpu:8000/v1", ("ada", "grace"))
    assert (settings.daily_cap, settings.visitor_cap) == (5.0, 0.25)
    assert settings.database == "postgresql://me:secret-word@host/name"
    assert set(values) == {field.upper() for field in Settings.model_fields}, "a field without a test"


def test_empty_variables_count_as_unset_and_the_defaults_need_nothing(monkeypatch, home):
    for field in Settings.model_fields:
        monkeypatch.setenv(f"ORCHESTRA_{field.upper()}", "")
    monkeypatch.setenv("ORCHESTRA_HOME", str(home))
    settings = load_settings()
    assert settings.database == str(home) and not home.exists()
    assert (settings.catalog, settings.daily_cap, settings.policy_url) == ("rehearsal", None, None)
    monkeypatch.delenv("ORCHESTRA_HOME")
    assert load_settings().home.is_absolute()


def test_settings_cannot_be_changed_and_show_no_password(monkeypatch):
    monkeypatch.setenv("ORCHESTRA_DATABASE_URL", "postgresql://me:secret-word@host/name")
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.daily_cap = 1.0  # pyright: ignore[reportAttributeAccessIssue]
    assert (
        "secret-word" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    )


@pytest.mark.parametrize("name", ["ORCHESTRA_DALY_CAP", "ORCHESTRA_DAILYCAP", "ORCHESTRA_VISITORS_CAP"])
def test_a_misspelt_cap_is_refused_instead_of_being_no_cap(monkeypatch, name):
    monkeypatch.setenv(name, "5")
    with pytest.raises(ConfigError, match=f"{name} is no setting; did you mean ORCHESTRA_[A-Z]+_CAP"):
        load_settings()


def test_variables_of_others_are_left_alone(monkeypatch):
    for name in ("ORCHESTRA_SOMETHING_ELSE", "ORCHESTRA_POLICY2_URL", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "http://x")
    load_settings()


@pytest.mark.parametrize("name", ["TAVILY_API_KEY", "TAVILY_KEY"])
def test_a_key_is_found_under_either_of_its_names(monkeypatch, name):
    assert key("TAVILY_API_KEY") is None and key("TAVILY_KEY") is None
    monkeypatch.setenv(name, " tvly-0123456789\n")
    assert key("TAVILY_API_KEY") == key("TAVILY_KEY") == "tvly-0123456789"


def test_an_empty_key_is_no_key(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "  ")
    assert key("HF_TOKEN") is None


def test_a_variable_in_a_catalogue_stands_for_an_address_and_never_for_a_key(monkeypatch):
    monkeypatch.setenv("ORCHESTRA_POLICY_URL", "http://gpu:8000/v1/")
    monkeypatch.setenv("VLLM_URL", "http://other:8000/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    settings = load_settings()
    assert settings.expand("http://plain/v1") == "http://plain/v1"
    assert settings.expand("env:ORCHESTRA_POLICY_URL") == "http://gpu:8000/v1"
    assert settings.expand("env:ORCHESTRA_POLICY_MODEL") == "nvidia/Orchestrator-8B"
    assert settings.expand("env:VLLM_URL") == "http://other:8000/v1"
    assert settings.expand("env:NOT_SET_URL") is None
    monkeypatch.setenv("VLLM_URL", "localhost:8000/v1")
    with pytest.raises(ConfigError, match="VLLM_URL cannot be used: it is not an http"):
        settings.expand("env:VLLM_URL")
    with pytest.raises(ConfigError, match="_URL or _MODEL"):
        settings.expand("env:OPENAI_API_KEY")


SECRETS = {
    "OPENAI_API_KEY": "sk-0123456789",
    "HF_TOKEN": "hf_0123456789",
    "HF_TOKEN_LONGER": "hf_0123456789abc",
    "AWS_SECRET_ACCESS_KEY": "aws/0123+456",
    "PGPASSWORD": "pg-0123456789",
    "ORCHESTRA_DATABASE_URL": "postgresql://me:p%40ss-word@host/name",
    "HTTPS_PROXY": "http://me:proxy-0123456@proxy:3128",
}
SPELT = [*SECRETS.values(), "p%40ss-word", "p@ss-word", "proxy-0123456"]


@pytest.fixture
def planted(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def test_no_known_secret_survives_redaction_and_its_name_says_which_it_was(planted):
    text = redact(" and ".join(SPELT))
    for value in SPELT:
        assert value not in text
    assert "[OPENAI_API_KEY]" in text and "[HF_TOKEN_LONGER]" in text and "[HTTPS_PROXY]" in text
    assert "abc" not in text, "the longer of two secrets goes first"


def test_a_key_that_was_looked_up_is_redacted_whatever_it_is_called(monkeypatch):
    monkeypatch.setenv("MY_LOGIN", "letmein-0123456789")
    assert redact("letmein-0123456789") == "letmein-0123456789"
    assert key("MY_LOGIN") == "letmein-0123456789"
    assert redact("x letmein-0123456789 y") == "x [MY_LOGIN] y"


def test_ordinary_variables_and_short_values_are_no_secrets(monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false-value")
    monkeypatch.setenv("MAX_TOKENS", "4096000")
    monkeypatch.setenv("KEYBOARD_LAYOUT", "us-international")
    monkeypatch.setenv("SOME_KEY", "true")
    found = secrets().values()
    assert not {"TOKENIZERS_PARALLELISM", "MAX_TOKENS", "KEYBOARD_LAYOUT", "SOME_KEY"} & set(found)
    assert redact("true 4096000 us-international") == "true 4096000 us-international"


@given(st.text())
def test_text_without_secrets_is_returned_as_it_is(text):
    if not any(value in text for value in secrets()):
        assert redact(text) == text


def test_no_secret_reaches_a_log_by_message_arguments_or_traceback(planted):
    stream = io.StringIO()
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    try:
        config.start_logging("DEBUG", stream)
        logger = logging.getLogger("some.library")
        logger.warning("sent %s to %r", SPELT[0], {"key": SPELT[1]})
        logger.warning("a %d that does not fit", SPELT[2])
        logger.debug(SPELT[3], stack_info=True)
        try:
            raise ValueError(f"refused {SPELT[4]}") from OSError(SPELT[7])
        except ValueError:
            logger.exception("failed with %s", SPELT[8])
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    logged = stream.getvalue()
    assert "Traceback" in logged and "[OPENAI_API_KEY]" in logged and "Stack" in logged
    assert not [value for value in SPELT if value in logged]


def test_importing_reads_nothing_and_makes_nothing(tmp_path):
    code = "import orchestra_app.config, orchestra_app.catalogs, logging; assert not logging.root.handlers"
    environment = {
        "ORCHESTRA_DAILY_CAP": "nonsense",
        "ORCHESTRA_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
    }
    root = Path(config.__file__).parents[1]
    done = subprocess.run([sys.executable, "-B", "-c", code], env=environment, cwd=root, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert not list(tmp_path.iterdir())
