"""The way to a server: certificates and proxies of the environment, and addresses that hold secrets."""

import datetime
import ipaddress
from pathlib import Path

import pytest
from asking import ask, job, openai_engine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from plain_server import PlainServer, reply

from pairwright.engines.kinds import check_spec
from pairwright.engines.openai.access import server_access
from pairwright.errors import PairwrightError, UsageError


def self_signed(folder: Path) -> Path:
    """The file of a key and of the certificate that it has signed for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(days=1))
    made = made.not_valid_after(now + datetime.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    path = folder / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_certificate_of_ones_own_is_named_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    with PlainServer(lambda body: reply(body, "free"), certificate=certificate) as server:
        with pytest.raises(PairwrightError, match=r"is not trusted here .* in SSL_CERT_FILE"):
            openai_engine(server.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        engine = openai_engine(server.url)
        [found] = ask(engine, [job("hello")])
        engine.close()
    assert found.text == "free"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SSL_CERT_FILE", "/nowhere.pem", "SSL_CERT_FILE names no certificates that can be read"),
        ("ALL_PROXY", "gopher://somewhere:1", "the proxy that the environment names cannot be used"),
    ],
)
def test_what_the_environment_names_wrongly(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=said):
        openai_engine("http://models.example/v1")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://h/v1?api_key=sk-1", "`api_key` in the URL looks like a secret"),
        ("http://h/v1?subscription-key=sk-1&a=b", "`subscription-key` in the URL looks like a secret"),
        ("http://me:sk-1@h/v1", "no user or password in the URL"),
        ("http://[::1/v1", "Invalid IPv6 URL"),
    ],
)
def test_an_address_holds_no_secret(url: str, said: str) -> None:
    for spec in (f"openai:m@{url}", f"any:openai/m@{url}"):
        with pytest.raises(UsageError, match=said) as refused:
            check_spec(spec)
        assert "sk-1" not in str(refused.value)
    check_spec("openai:m@http://h/openai/deployments/gpt?api-version=2024-10-21")


def test_our_own_key_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAIRWRIGHT_API_KEY", "ours\n")
    with PlainServer(lambda body: reply(body, "free")) as server:
        engine = openai_engine(server.url)
        ask(engine, [job("hello")])
        engine.close()
    assert server.seen[0][1]["authorization"] == "Bearer ours"


def test_a_key_that_cannot_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "two\nlines-of-canary")
    with pytest.raises(UsageError, match="OPENAI_API_KEY holds characters") as caught:
        openai_engine("http://127.0.0.1:9/v1")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("[::1]", True), ("localhost", True),
        ("0.0.0.0", True), ("[::]", True), ("[::ffff:127.0.0.1]", True), ("localhost.", True),
        ("model.localhost", True), ("10.0.0.1", False), ("localhost.example", False), ("example", False),
    ],
)  # fmt: skip
def test_servers_of_this_machine_are_asked_without_a_proxy(host: str, here: bool) -> None:
    assert server_access(f"http://{host}:8000/v1", {}).loopback is here


def test_a_proxy_behind_which_nobody_answers_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:canary@127.0.0.1:9")
    sentence = r"no server answers at http://api\.example/v1 through the proxy 127\.0\.0\.1:9"
    with pytest.raises(PairwrightError, match=sentence) as caught:
        openai_engine("http://api.example/v1")
    assert "canary" not in str(caught.value)
    monkeypatch.setenv("HTTP_PROXY", "user:canary@proxy.example:9/")
    assert server_access("http://api.example/v1", {}).proxy == "proxy.example:9"
    monkeypatch.setenv("NO_PROXY", "api.example")
    assert server_access("http://api.example/v1", {}).proxy == ""
