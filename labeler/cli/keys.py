"""``labeler keys``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from labeler.cli.common import PATH, option, style
from labeler.cli.config import CONFIG_NAME, read_config
from labeler.errors import ExitCode, LabelerError

__all__ = ["command"]

_NO_PRODUCER = '# producer = "name or code of your service"\n'
_NEW_CONFIG = f"# Defaults of every labeler command; a labeler.toml in the project wins.\n{_NO_PRODUCER}"


@click.group("keys")
def command() -> None:
    """Make and look at watermark keys and signing certificates."""


@command.command("init", short_help="Make a watermark key, a test certificate and labeler.toml.")
@click.option("--home", type=PATH, metavar="DIR", help="Instead of $LABELER_HOME.")
@option("--producer", default="", metavar="CODE", help="Write this producer into labeler.toml.")
def init(home: Path | None, producer: str) -> int:
    """Make a watermark key, a development certificate and labeler.toml; never overwrites.

    The certificate is for trying things out: it is on no trust list, and verifiers say so. Put the chain
    and key of a certificate from a C2PA conformance authority into labeler.toml for real use.

    Where there are keys already, --producer still adds a producer to a labeler.toml that has none.
    """
    from labeler.core.home import labeler_home
    from labeler.core.keys import KeyRing, WatermarkKey
    from labeler.credentials.certs import create_development_identity
    from labeler.errors import OutputExists

    folder = labeler_home(home)
    ring, config = KeyRing(folder), folder / CONFIG_NAME
    there = _producer_of(config)
    if ring.private_keys():
        if there or not producer:
            raise OutputExists(
                "there are keys already.",
                remedy="`labeler keys new` adds a watermark key; "
                + ("defaults are changed in labeler.toml." if there else "--producer CODE adds a producer."),
                path=ring.folder,
            )
        _configure(config, producer)
        return ExitCode.OK
    identity = create_development_identity(folder / "credentials")
    key = WatermarkKey.generate()
    key_path = ring.add(key)
    click.echo(f"watermark key {key.key_id}   {key_path}   (use it with --key private)")
    click.echo(f"signing certificate, TEST   {identity.chain}")
    click.echo(f"its root, for verify --trust   {identity.root}")
    if there:
        click.echo(f"configuration   {config}   (was there, with producer {there})")
    else:
        _configure(config, producer)
    return ExitCode.OK


def _producer_of(config: Path) -> str:
    """The producer that labeler.toml names, or ""."""
    table = read_config(config)
    return str(table.get("producer") or table.get("label", {}).get("producer", ""))


def _configure(config: Path, producer: str) -> None:
    """Make labeler.toml, or add the producer to one that has none."""
    from labeler.core.atomic import publish

    text = config.read_text(encoding="utf-8") if config.exists() else _NEW_CONFIG
    if producer:
        line = f"producer = {json.dumps(producer, ensure_ascii=False)}\n"
        text = text.replace(_NO_PRODUCER, line) if _NO_PRODUCER in text else line + text
    with publish(config, overwrite=True) as file:
        file.write(text.encode())
    click.echo(f"configuration   {config}" + (f"   producer {producer}" if producer else ""))


@command.command("new", short_help="Make another watermark key; older ones stay readable.")
@click.option("--home", type=PATH, metavar="DIR", help="Instead of $LABELER_HOME.")
def new(home: Path | None) -> int:
    """Make another watermark key: --key private uses it from now on, older keys stay readable."""
    from labeler.core.keys import KeyRing, WatermarkKey

    key = WatermarkKey.generate()
    click.echo(f"watermark key {key.key_id}   {KeyRing(home).add(key)}")
    return ExitCode.OK


@command.command("list")
@click.option("--home", type=PATH, metavar="DIR", help="Instead of $LABELER_HOME.")
def list_keys(home: Path | None) -> int:
    """Which keys there are."""
    from labeler.core.keys import KeyRing
    from labeler.credentials import identity

    for key in KeyRing(home).all_keys():
        what = "published: every installation reads it and could write it" if key.public else "private"
        click.echo(f"watermark   {key.key_id:<14} {style(what, 'dim')}")
    try:
        signer = identity.load(home)
    except LabelerError as error:
        click.echo(f"signing     {style('none: ' + error.message, 'warn')}")
    else:
        until = f"valid until {signer.not_after:%Y-%m-%d}"
        click.echo(f"signing     {signer.name}   {style(until, 'dim')}")
    return ExitCode.OK


@command.command("check")
@click.argument("certificate", type=PATH)
def check(certificate: Path) -> int:
    """Which exact rule of the C2PA certificate profile a chain breaks."""
    from labeler.credentials.certs import check_certificate
    from labeler.media.files import read_source

    findings = check_certificate(read_source(certificate).data)
    colours = {"error": "bad", "warn": "warn", "info": "good"}
    for finding in findings:
        click.echo(f"{style(finding.severity, colours[finding.severity])}   {finding.id}   {finding.detail}")
    broken = any(finding.severity == "error" for finding in findings)
    if not broken:
        click.echo(style("c2pa accepts this chain for signing", "good"))
    return ExitCode.NEGATIVE if broken else ExitCode.OK
