"""``labeler label``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeler.cli.common import (
    AS_JSON,
    FORMAT,
    JOBS,
    MEGAPIXELS,
    PATH,
    Progress,
    left_out,
    limits_of,
    option,
    read_stdin,
    split_stdin,
    style,
    tell_unused,
    write_data,
    write_stream,
)
from labeler.errors import ExitCode, OutputError, UsageError

if TYPE_CHECKING:
    from labeler.pipeline.label import Labelled
    from labeler.pipeline.options import LabelOptions
    from labeler.types import LabelResult

__all__ = ["command"]

_ONLY_FOR = {
    "every_paragraph": ["text"],
    "tag_every": ["text"],
    "in_text": ["text"],
    "position": ["image", "video"],
    "font": ["image", "video", "text"],
    "audible": ["audio", "video"],
    "audible_place": ["audio", "video"],
    "audible_mode": ["audio"],
    "prompt": ["audio", "video"],
    "quality": ["image"],
    "codec": ["video"],
    "crf": ["video"],
    "preset": ["video"],
    "hardware": ["video"],
    "visible_seconds": ["video"],
    "fast": ["video"],
    "sound_track": ["video"],
    "format_": [],
}
"""Options that speak of some modalities only, or of standard input."""


@click.command("label")
@click.argument("inputs", nargs=-1, required=True, type=PATH)
@option(
    "-o", "--output", type=PATH, metavar="DIR", help="Folder for the labelled files; same tree, same names."
)
@option("--in-place", is_flag=True, help="Replace the inputs; originals are kept as NAME.orig.")
@option("-r", "--recursive", is_flag=True, help="Label what is in folders too.")
@option("--producer", default="", metavar="CODE", help="Name or code of your generation service; required.")
@option(
    "--produce-id",
    default="",
    metavar="ID",
    help="Your id of the content, for one file only; default a random one.",
)
@option(
    "--profile",
    default="cn-gb45438",
    show_default=True,
    metavar="NAME",
    help="What to write: cn-gb45438 or all.",
)
@option(
    "--layers",
    default="",
    metavar="LIST",
    help="visible,watermark,metadata,credentials; default the profile's.",
)
@option("--generator", default="", metavar="NAME/VERSION", help="The AI system that made the content.")
@option(
    "--source-type", default="trainedAlgorithmicMedia", metavar="TERM", show_default=True,
    help="IPTC digital source type.",
)  # fmt: skip
@option("--author", default="", metavar="A", help="Who claims authorship.")
@option("--rights", default="", metavar="R", help="Rights statement.")
@option(
    "--training",
    type=click.Choice(["allowed", "notAllowed"]),
    help="Whether it may train AI, for the manifest; by default nothing is said.",
)
@option(
    "--lang",
    type=click.Choice(["zh", "en", "both"]),
    help="Wording of the visible mark; default the profile's (both).",
)
@option("--every-paragraph", is_flag=True, help="Texts: mark each paragraph too.")
@option(
    "--tag-every", type=click.Choice(["sentence", "paragraph", "end"]), default="paragraph", show_default=True,
    help="Texts: where the invisible tag goes, if --layers has the watermark.",
)  # fmt: skip
@option("--in-text", is_flag=True, help="Texts: put the C2PA manifest into the text, not beside it.")
@option(
    "--position",
    type=click.Choice(["auto", "top-left", "top-right", "bottom-left", "bottom-right"]),
    help="Corner of the visible mark; auto takes the calmest; default the profile's (auto).",
)
@option("--font", type=PATH, metavar="FILE", help="Font of the visible mark; default Noto Sans CJK.")
@option(
    "--audible",
    type=click.Choice(["speech", "rhythm", "both"]),
    help="The mark in sound: spoken, Morse rhythm, or both; default the profile's (speech).",
)
@option(
    "--audible-place",
    default="",
    metavar="PLACE",
    help="Its place: start, end, both, or seconds from the beginning; default the profile's (start).",
)
@option(
    "--audible-mode",
    type=click.Choice(["mix", "insert"]),
    help="The mark lies over the sound, or has room made for it; default the profile's (mix).",
)
@option("--prompt", type=PATH, metavar="FILE", help="A sound file to speak instead of labeler's words.")
@option(
    "--key",
    default="public-1",
    show_default=True,
    metavar="ID",
    help="Watermark key: public-1, private, or an id.",
)
@option(
    "--strength", type=click.Choice(["gentle", "default", "strong"]), default="default", show_default=True,
    help="Of the watermark.",
)  # fmt: skip
@option(
    "--quality",
    type=click.IntRange(1, 100),
    metavar="1..100",
    help="Of lossy pictures; default about the source's.",
)
@option("--codec", type=click.Choice(["h264", "hevc", "vp9", "av1"]), help="Of video; default as the source.")
@option(
    "--crf",
    type=float,
    metavar="N",
    help="Of video, lower is better: 0 to 51 (H.264, HEVC), 0 to 63 (VP9, AV1); default 20 to 28, by codec.",
)
@option(
    "--preset",
    default="",
    metavar="NAME",
    help="Of the video encoder: ultrafast to placebo (H.264, HEVC), -8 to 8 (VP9), -1 to 13 (AV1); default a fast one.",
)
@option(
    "--hardware", type=click.Choice(["nvenc", "qsv", "amf", "vaapi", "videotoolbox"]),
    help="Encode video with this hardware; default in software.",
)  # fmt: skip
@option(
    "--visible-seconds",
    type=float,
    metavar="N",
    help="Video: show the mark for N seconds, at least 2; default throughout.",
)
@option("--fast", is_flag=True, help="Video: do not try out how strong the watermark must be.")
@option("--sound-track", is_flag=True, help="Video: mark its sound track too.")
@option("--certificate", type=PATH, metavar="PEM", help="Signing chain; default the one of `keys init`.")
@option(
    "--certificate-key", type=PATH, metavar="PEM", help="Its private key (passphrase: LABELER_PASSPHRASE)."
)
@option("--relabel", is_flag=True, help="Replace your own earlier label.")
@option("--force", is_flag=True, help="Overwrite existing outputs.")
@JOBS
@MEGAPIXELS
@FORMAT
@AS_JSON
def command(
    inputs: tuple[Path, ...],
    output: Path | None,
    in_place: bool,
    recursive: bool,
    force: bool,
    jobs: int,
    format_: str | None,
    as_json: bool,
    **settings: Any,
) -> int:
    """Label files or folders.

    \b
    labeler label poster.png -o out --producer 001191...10001
    labeler label pictures -r -o labelled -j 4
    cat a.png | labeler label - -o - > b.png
    cat a.md | labeler label - -o - --format md --in-text > b.md
    """
    from labeler.pipeline.check import check_label

    options = _options(**settings)
    check_label(options)
    from_stdin, to_stdout = split_stdin(inputs), output == Path("-")
    if in_place == (output is not None):
        raise UsageError("where to? Give either -o DIR or --in-place.")
    if from_stdin and in_place:
        raise UsageError("standard input cannot be labelled in place.", remedy="Give -o.")
    if output is not None and not to_stdout and not output.is_dir():
        if output.exists():
            raise OutputError("a file stands where the output folder should be.", path=output)
        if _is_file_name(output):
            raise UsageError(f"-o names a folder, and {output} is a file's name.", remedy="Give a folder.")
    if to_stdout or from_stdin:
        return _pipe(inputs, output or Path(), options, force=force, format_=format_, as_json=as_json)
    return _files(inputs, output, options, in_place, recursive, force, jobs, as_json)


def _is_file_name(output: Path) -> bool:
    from labeler.media.formats import extensions

    suffixes = {suffix for each in extensions().values() for suffix in each}
    return output.suffix.lower() in suffixes


def _options(
    *,
    layers: str,
    max_megapixels: float,
    lang: str | None,
    position: str | None,
    training: str | None,
    audible: str | None,
    audible_mode: str | None,
    codec: str | None,
    hardware: str | None,
    **settings: Any,
) -> LabelOptions:
    import os

    from labeler.pipeline.options import LabelOptions, parse_layers

    passphrase = os.environ.get("LABELER_PASSPHRASE")
    return LabelOptions(
        layers=parse_layers(layers) if layers else None,
        limits=limits_of(max_megapixels),
        lang=lang or "",
        training=training or "",
        position=position or "",
        audible=audible or "",
        audible_mode=audible_mode or "",
        codec=codec or "",
        hardware=hardware or "",
        passphrase=passphrase.encode() if passphrase else None,
        **settings,
    )


def _files(
    inputs: tuple[Path, ...],
    output: Path | None,
    options: LabelOptions,
    in_place: bool,
    recursive: bool,
    force: bool,
    jobs: int,
    as_json: bool,
) -> int:
    from labeler.batch import plan, pool, work
    from labeler.core.progress import listening

    todo = plan.plan(inputs, recursive=recursive, output=output, in_place=in_place)
    if options.produce_id and len(todo.jobs) > 1:
        raise UsageError(
            "one --produce-id cannot name several files.", remedy="Leave it out, or label one file."
        )
    tasks = (work.LabelTask(job, options, force) for job in todo.jobs)
    tell_unused([job.input for job in todo.jobs], _ONLY_FOR)
    progress = Progress(len(todo.jobs), "labelled")
    results = []
    with listening(progress.part):
        for result in pool.run(work.label, tasks, jobs=min(jobs, len(todo.jobs)), failed=work.label_failed):
            results.append(result.error)
            progress.clear()
            _show(result, as_json)
            progress.advance()
    progress.clear()
    left_out(todo, "labels")
    return _exit_code([error for error in results if error], len(results))


def _exit_code(errors: list[Any], total: int) -> int:
    failures = [error for error in errors if error.exit_code != ExitCode.NOTHING_TO_DO]
    if total == 0 or (len(errors) == total and not failures):
        return ExitCode.NOTHING_TO_DO
    if not failures:
        return ExitCode.OK
    return failures[0].exit_code if total == 1 else ExitCode.SOME_FAILED


def _show(result: LabelResult, as_json: bool) -> None:
    from labeler.report import jsonl, text

    if as_json:
        write_data(jsonl.label_line(result))
        return
    for line in text.describe_label(result, style):
        click.echo(line, err=result.error is not None)


def _pipe(
    inputs: tuple[Path, ...],
    output: Path,
    options: LabelOptions,
    *,
    force: bool,
    format_: str | None,
    as_json: bool,
) -> int:
    """One file from stdin or to stdout."""
    import contextlib
    import tempfile

    from labeler.core.atomic import publish_all, scratch
    from labeler.media.files import open_source
    from labeler.media.formats import extensions
    from labeler.pipeline.label import label_source
    from labeler.pipeline.modalities import probe

    if len(inputs) > 1 or as_json:
        raise UsageError("standard output takes one file, and nothing else.", remedy="Give -o DIR.")
    to_stdout = output == Path("-")
    with (
        contextlib.ExitStack() as stack,
        scratch(Path(stack.enter_context(tempfile.TemporaryDirectory())) if to_stdout else output) as parts,
    ):
        if inputs[0] == Path("-"):
            source = read_stdin(format_, parts, options.limits)
        else:
            tell_unused(inputs, _ONLY_FOR)
            source = open_source(inputs[0], limits=options.limits)
        media_type = probe(source, options.limits).media_type
        labelled = label_source(source, options, parts)
        for note in labelled.notes:
            click.echo(f"note  {note.detail}", err=True)
        if to_stdout:
            _check_alone(labelled, media_type, options)
            with labelled.content.open() as data:
                write_stream(data)
            return ExitCode.OK
        target = output / f"stdin{extensions()[media_type][0]}"
        content = labelled.content.file or labelled.content.data
        beside = {target.with_name(target.name + suffix): data for suffix, data in labelled.sidecars.items()}
        publish_all({target: content, **beside}, overwrite=force)
    click.echo(f"{target}   labelled: {', '.join(labelled.layers)}")
    return ExitCode.OK


def _check_alone(labelled: Labelled, media_type: str, options: LabelOptions) -> None:
    """Whether a labelled file may stand without its sidecars, as on stdout.

    A text with its manifest inside may: the manifest names the content too. It is said what stays away.

    Raises:
        UsageError: it may not.
    """
    from labeler.pipeline.verify import CREDENTIALS_SUFFIX
    from labeler.types import Layer

    if not labelled.sidecars:
        return
    names = ", ".join(labelled.sidecars)
    if (
        not options.in_text
        or Layer.CREDENTIALS not in labelled.layers
        or CREDENTIALS_SUFFIX in labelled.sidecars
    ):
        raise UsageError(
            f"{media_type} needs files beside it ({names}), which stdout cannot carry.",
            remedy="Give -o DIR, or --in-text (plain text, Markdown, HTML, WebVTT), or --layers without them.",
        )
    click.echo(
        f"note  the metadata of {media_type} stands in a file beside it ({names}), which stdout cannot carry: "
        "it is left out; the manifest in the text names the same content",
        err=True,
    )
