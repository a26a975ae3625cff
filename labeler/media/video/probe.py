"""What a video file is: the container's structure, then one ffmpeg that tells its tracks and lists its frames.

No ffprobe is needed. One process copies the coded frames of the picture track into a list of times (``framecrc``)
and decodes the first frame, whose properties ``showinfo`` prints. What ffmpeg prints about the file is read with
anchored patterns; the file's own texts stand behind a colon there and cannot pass for a track.
"""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from labeler.errors import DamagedMedia, InputError, LimitExceeded, UnsupportedMedia
from labeler.media import ffmpeg as engine
from labeler.media.limits import DEFAULT_LIMITS, Limits
from labeler.media.sniff import sniff
from labeler.media.video import structure
from labeler.media.video.info import (
    EXTENSIONS,
    Chapter,
    Colour,
    Mastering,
    Packets,
    Stream,
    VideoInfo,
    depth_of,
    has_alpha,
    is_exact,
    layout_of,
)
from labeler.types import Finding, MediaInfo, Modality

__all__ = ["EXTENSIONS", "probe", "scan"]

MAX_FRAMES = 5_000_000
"""Frames of a video: 23 hours at 60 a second."""

MAX_SECONDS = 24 * 3600.0
"""Length of a video."""

_HEAD = 4096
_CHUNK = 1 << 16
_NO_TIME = -(1 << 63)
_DISCARD = 4
_CHANNELS = {"mono": 1, "stereo": 2, "downmix": 2, "quad": 4, "hexagonal": 6, "octagonal": 8}

_STREAM = re.compile(
    r"  Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\(([^()]*)\))?: (Video|Audio|Subtitle|Attachment|Data|Unknown): (.*)"
)
_CHAPTER = re.compile(r"    Chapter #0:\d+: start (-?[\d.]+), end (-?[\d.]+)")
_DURATION = re.compile(r"  Duration: (?:(\d+):(\d+):([\d.]+)|N/A)(?:, start: (-?[\d.]+))?")
_TAG = re.compile(r"\s*(\S[^:]*?)?\s*: (.*)")
_FLOATS = re.compile(r"-?\d+\.\d+")


def probe(
    file: BinaryIO, size: int, name: str, *, limits: Limits = DEFAULT_LIMITS, path: Path | None = None
) -> VideoInfo:
    """Read what a video file is.

    Args:
        file: the file, seekable.
        size: its bytes.
        name: its name, for errors and for its extension.
        limits: of one frame's pixels and of the file's bytes.
        path: where ffmpeg finds the file; by default the open file itself, which needs ``/proc``.

    Returns:
        All that can be known without decoding more than a frame, with the time of every frame.

    Raises:
        UnsupportedMedia: no video, no picture track, or a codec that ffmpeg does not know.
        DamagedMedia: cut off, or not what it says.
        LimitExceeded: too many pixels, frames, seconds or bytes.
    """
    file.seek(0)
    media_type = sniff(file.read(_HEAD))
    if media_type not in EXTENSIONS:
        raise UnsupportedMedia(f"the content is {media_type}, no video that labeler knows.", path=name)
    limits.check_stream(size, path=name)
    try:
        found = structure.check(file, size, media_type)
    except InputError as error:
        error.path = error.path or name
        raise
    demuxer = engine.DEMUXERS[media_type]
    said, listing = _ask(path or _path_of(file), demuxer, name)
    dump = _Dump(said)
    if dump.frame is None or not dump.picture:
        raise UnsupportedMedia("it has no picture track that can be decoded.", path=name)
    packets, time_base = _packets(listing, name)
    frame = dump.frame
    limits.check_frame(frame.width, frame.height, path=name)
    rate = frame.rate or _rate(packets, time_base)
    seconds = max(dump.duration, _end(packets, time_base))
    if seconds > MAX_SECONDS:
        raise LimitExceeded(f"the video lasts {seconds / 3600:.0f} hours; the limit is 24.", path=name)
    if found.samples is not None and len(packets.pts) + dump.discarded(listing) < found.samples:
        raise DamagedMedia(
            f"the index promises {found.samples} frames; {len(packets.pts)} are there.",
            remedy="Copy or download it again.",
            path=name,
        )
    picture = next(stream for stream in dump.streams if stream.kind == "video")
    audio = next((stream for stream in dump.streams if stream.kind == "audio"), None)
    alpha = has_alpha(frame.pix_fmt) or picture.tags.get("alpha_mode", "0") not in ("", "0")
    info = VideoInfo(
        info=MediaInfo(
            media_type=media_type,
            modality=Modality.VIDEO,
            width=frame.width,
            height=frame.height,
            frames=len(packets.pts),
            size=size,
            extension_matches=_fits(media_type, name),
            duration=round(seconds, 6),
            codec=picture.codec,
            sample_rate=audio.sample_rate if audio else 0,
            channels=audio.channels if audio else 0,
        ),
        demuxer=demuxer,
        codec=picture.codec,
        profile=dump.profile,
        tag=picture.tag,
        pix_fmt=frame.pix_fmt,
        layout=layout_of(frame.pix_fmt),
        width=frame.width,
        height=frame.height,
        sar=frame.sar,
        rotation=dump.rotation,
        mirrored=found.mirrored,
        rate=rate,
        variable=_variable(packets, time_base, rate),
        time_base=time_base,
        start=dump.start,
        colour=frame.colour,
        depth=depth_of(frame.pix_fmt),
        alpha=alpha,
        field_order=frame.field_order,
        mastering=frame.mastering,
        dynamic_hdr=tuple(dump.dynamic_hdr),
        streams=tuple(dump.streams),
        chapters=tuple(dump.chapters),
        tags=dump.tags,
        packets=packets,
        front=found.front,
        findings=tuple(_findings(dump, frame.pix_fmt, alpha)),
    )
    return info


def scan(path: Path, demuxer: str, *, name: object = None) -> tuple[Packets, Fraction]:
    """The coded frames of a file's picture track, and the seconds of one tick; nothing is decoded.

    Raises:
        DamagedMedia: it cannot be read to its end.
        LimitExceeded: too many frames.
    """
    node = engine.source(path, demuxer)["V:0"].output("pipe:", **_LISTING)
    with engine.Reader(node.global_args("-xerror"), path=name or path) as reader:
        listing = _Listing(reader, name or path)
        reader.finish()
    return _packets(listing, name or path)


_LISTING = {"f": "framecrc", "c": "copy", "copyinkf": None, "copyts": None}


class _Listing:
    """The lines of ``framecrc``: times in decoding order, without the texts."""

    def __init__(self, reader: engine.Reader, name: object) -> None:
        self.time_base = Fraction(0)
        self.rows: list[tuple[int, int, int, int]] = []  # pts, duration, bytes, flags
        rest = b""
        while chunk := reader.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._line(line)
            if len(self.rows) > MAX_FRAMES:
                raise LimitExceeded(f"the video has more than {MAX_FRAMES} frames.", path=name)

    def _line(self, line: bytes) -> None:
        if line.startswith(b"#tb 0: "):
            self.time_base = Fraction(line[7:].decode())
        elif line[:1].isdigit():
            field = line.split(b",")
            flags = next((int(f.strip()[2:], 16) for f in field[6:] if f.strip().startswith(b"F=")), 1)
            self.rows.append((int(field[2]), int(field[3]), int(field[4]), flags))


def _ask(path: Path, demuxer: str, name: str) -> tuple[str, _Listing]:
    """Run ffmpeg once: what it says about file and first frame, and the list of coded frames."""
    import ffmpeg

    source = engine.source(path, demuxer, noautorotate=None, err_detect="explode")["V:0"]
    listing = source.output("pipe:", **_LISTING)
    first = source.output("pipe:", f="null", vf="showinfo=checksum=0", **{"frames:v": 1, "copyts": None})
    node = ffmpeg.merge_outputs(listing, first).global_args("-xerror", "-loglevel", "info", "-nostats")
    with engine.Reader(node, path=name) as reader:
        found = _Listing(reader, name)
        try:
            said = reader.finish()
        except DamagedMedia as error:
            said = reader.messages()
            if "matches no streams" in said:
                raise UnsupportedMedia("it has no picture track.", path=name) from error
            raise DamagedMedia(
                f"it cannot be read: {_complaint(said)}.", remedy="Check that it plays.", path=name
            ) from error
    return said, found


_NOISE = re.compile(r"^\[[^\]]*\] |^\[[^\]]*$| @ 0x[0-9a-f]+")


def _complaint(said: str) -> str:
    """The last lines of ffmpeg that are no report about the file, without addresses."""
    lines = [
        _NOISE.sub("", line).strip() for line in said.splitlines() if not line.startswith((" ", "[Parsed"))
    ]
    return "; ".join(line for line in lines[-3:] if line)[:300] or "ffmpeg gave no reason"


class _Frame:
    """What ``showinfo`` says about the first frame."""

    def __init__(self, line: str) -> None:
        def word(key: str, pattern: str) -> str:
            match = re.search(rf"\b{key}:({pattern})(?=\s|$)", line)
            return match[1] if match else ""

        self.pix_fmt = word("fmt", r"\S+")
        self.chroma = word("cl", r"\S+") or "unspecified"
        self.width, self.height = (int(v) for v in (word("s", r"\d+x\d+") or "0x0").split("x"))
        num, den = (int(v) for v in (word("sar", r"\d+/\d+") or "0/1").split("/"))
        self.sar = Fraction(num, den) if den else Fraction(0)
        self.field_order = {"T": "tff", "B": "bff"}.get(word("i", r"\w"), "")
        self.rate: Fraction | None = None
        self.colour = Colour(chroma=self.chroma)
        self.mastering: Mastering | None = None

    def colours(self, text: str) -> None:
        words = dict(part.split(":", 1) for part in text.split() if ":" in part)
        self.colour = Colour(
            full={"pc": True, "tv": False}.get(words.get("color_range", "")),
            space=words.get("color_space", "unknown"),
            primaries=words.get("color_primaries", "unknown"),
            transfer=words.get("color_trc", "unknown"),
            chroma=self.chroma,
        )
        if self.colour.full is None and self.pix_fmt.startswith("yuvj"):
            self.colour = Colour(
                full=True,
                space=self.colour.space,
                primaries=self.colour.primaries,
                transfer=self.colour.transfer,
                chroma=self.chroma,
            )

    def side_data(self, text: str) -> None:
        old = self.mastering or Mastering()
        if text.startswith("Mastering display metadata"):
            values = tuple(float(v) for v in _FLOATS.findall(text))
            primaries = values[:8] if "has_primaries:1" in text and len(values) >= 10 else ()
            luminance = values[8:10] if "has_luminance:1" in text and len(values) >= 10 else ()
            self.mastering = Mastering(primaries=primaries, luminance=luminance, light=old.light)
        elif match := re.match(r"Content light level metadata: MaxCLL=(\d+), MaxFALL=(\d+)", text):
            self.mastering = Mastering(
                primaries=old.primaries, luminance=old.luminance, light=(int(match[1]), int(match[2]))
            )


class _Dump:
    """What ffmpeg prints about an input, and about its first frame."""

    def __init__(self, said: str) -> None:
        self.streams: list[Stream] = []
        self.chapters: list[Chapter] = []
        self.tags: dict[str, str] = {}
        self.duration = 0.0
        self.start = 0.0
        self.rotation = 0.0
        self.profile = ""
        self.dynamic_hdr: list[str] = []
        self.frame: _Frame | None = None
        self._rate: Fraction | None = None
        self._chapter_tags: dict[str, str] = {}
        self._into: dict[str, str] | None = None
        self._key = ""
        lines = iter(said.split("\n"))
        for line in lines:
            if line.startswith("Input #0"):
                break
        for line in lines:
            if not line.startswith(" "):
                break
            self._header(line)
        self._close_chapter()
        for line in lines:
            if line.startswith("[Parsed_showinfo_0 @ "):
                self._first_frame(line.partition("] ")[2])
        if self.frame is not None:
            self.frame.rate = self._rate

    @property
    def picture(self) -> bool:
        """There is a picture track."""
        return any(stream.kind == "video" for stream in self.streams)

    @staticmethod
    def discarded(listing: _Listing) -> int:
        """Coded frames that an edit list leaves out."""
        return sum(1 for row in listing.rows if row[3] & _DISCARD)

    def _header(self, line: str) -> None:
        if match := _STREAM.fullmatch(line):
            self._close_chapter()
            self.streams.append(self._stream(match))
            self._into = None
        elif match := _CHAPTER.fullmatch(line):
            self._close_chapter()
            self.chapters.append(Chapter(float(match[1]), float(match[2])))
            self._into = None
        elif match := _DURATION.match(line):
            if match[1]:
                self.duration = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
            self.start = float(match[4] or 0)
            self._into = None
        elif line == "  Metadata:" and not self.streams:
            self._into = self.tags
        elif line == "    Metadata:" and self.streams:
            self._into = self.streams[-1].tags
        elif line == "      Metadata:" and self.chapters and not self.streams:
            self._into = self._chapter_tags = {}
        elif line.strip() == "Side data:":
            self._into = None
        elif self._into is not None and (match := _TAG.fullmatch(line)):
            if match[1]:
                self._key = match[1]
                self._into[self._key] = match[2]
            elif self._key:
                self._into[self._key] += "\n" + match[2]
        elif match := re.fullmatch(r"\s+Display Matrix: rotation of (-?[\d.]+) degrees", line, re.IGNORECASE):
            if self.streams and self.streams[-1].kind == "video" and len(self.of_video()) == 1:
                self.rotation = float(match[1])
        elif re.match(r"\s+DOVI configuration record", line):
            self._dynamic("Dolby Vision")

    def of_video(self) -> list[Stream]:
        """The picture tracks, without cover art."""
        return [stream for stream in self.streams if stream.kind == "video"]

    def _dynamic(self, name: str) -> None:
        if name not in self.dynamic_hdr:
            self.dynamic_hdr.append(name)

    def _close_chapter(self) -> None:
        if self.chapters and self._chapter_tags:
            last = self.chapters[-1]
            self.chapters[-1] = Chapter(last.start, last.end, self._chapter_tags.get("title", ""))
            self._chapter_tags = {}

    def _stream(self, match: re.Match[str]) -> Stream:
        kind, text = match[3].lower(), match[4]
        codec = re.match(r"[\w-]+", text)
        tag = re.search(r"\((\S{1,4}) / 0x[0-9A-F]{8}\)", text)
        if kind == "video" and "(attached pic)" in text:
            kind = "picture"
        if kind == "video" and not self.of_video():
            profile = re.match(r"[\w-]+ \(([^()]+)\)", text)
            self.profile = profile[1] if profile and " / 0x" not in profile[1] else ""
        rate = re.search(r"(\d+) kb/s", text)
        hertz = re.search(r", (\d+) Hz, ([^,]+)", text)
        start = re.search(r", start (-?[\d.]+)", text)
        return Stream(
            index=int(match[1]),
            kind="data" if kind == "unknown" else kind,
            codec=codec[0] if codec else "",
            tag=tag[1] if tag else "",
            language=match[2] or "",
            sample_rate=int(hertz[1]) if hertz else 0,
            channels=_channels(hertz[2]) if hertz else 0,
            bit_rate=int(rate[1]) * 1000 if rate else 0,
            start=float(start[1]) if start else 0.0,
        )

    def _first_frame(self, text: str) -> None:
        if match := re.match(r"config in time_base: \d+/\d+, frame_rate: (\d+)/(\d+)", text):
            if int(match[1]) and int(match[2]):
                self._rate = Fraction(int(match[1]), int(match[2]))
        elif re.match(r"n: *0 pts:", text):
            self.frame = _Frame(text)
        elif text.startswith("n:"):
            return
        elif self.frame is not None and text.startswith("color_range:"):
            if self.frame.colour == Colour(chroma=self.frame.chroma):
                self.frame.colours(text)
        elif self.frame is not None and text.lstrip().startswith("side data - "):
            data = text.lstrip()[len("side data - ") :]
            self.frame.side_data(data)
            if data.startswith("HDR Dynamic Metadata SMPTE2094-40"):
                self._dynamic("HDR10+")
            elif data.startswith(("Dolby Vision", "DOVI")):
                self._dynamic("Dolby Vision")


def _channels(layout: str) -> int:
    layout = layout.partition("(")[0].strip()
    if match := re.match(r"(\d+) channels", layout):
        return int(match[1])
    if re.fullmatch(r"\d+(\.\d+)+", layout):
        return sum(int(part) for part in layout.split("."))
    return _CHANNELS.get(layout, 0)


def _packets(listing: _Listing, name: object) -> tuple[Packets, Fraction]:
    rows = np.array(listing.rows, np.int64).reshape(-1, 4)
    rows = rows[rows[:, 3] & _DISCARD == 0]
    if not len(rows) or not listing.time_base:
        raise DamagedMedia("the picture track has no frames.", path=name)
    timed = bool(np.all(rows[:, 0] != _NO_TIME))
    order = np.argsort(rows[:, 0], kind="stable")
    rows = rows[order]
    return (
        Packets(
            pts=rows[:, 0].copy(),
            duration=rows[:, 1].copy(),
            key=rows[:, 3] & 1 == 1,
            bytes=int(rows[:, 2].sum()),
            timed=timed,
        ),
        listing.time_base,
    )


def _rate(packets: Packets, time_base: Fraction) -> Fraction:
    steps = np.diff(packets.pts[packets.pts != _NO_TIME])
    step = float(np.median(steps)) if len(steps) else float(packets.duration[0])
    return Fraction(1 / (step * float(time_base))).limit_denominator(1001) if step > 0 else Fraction(25)


def _end(packets: Packets, time_base: Fraction) -> float:
    pts = packets.pts[packets.pts != _NO_TIME]
    return float((pts[-1] - pts[0] + packets.duration[-1]) * time_base) if len(pts) else 0.0


def _variable(packets: Packets, time_base: Fraction, rate: Fraction) -> bool:
    """Whether a step between frames differs from the usual one by more than the ticks' rounding."""
    steps = np.diff(packets.pts[packets.pts != _NO_TIME]).astype(np.float64)
    usual = float(1 / rate / time_base)
    return bool(len(steps)) and bool(np.any(np.abs(steps - usual) > max(1.0, 0.02 * usual)))


def _fits(media_type: str, name: str) -> bool:
    suffix = Path(name).suffix.lower()
    return not suffix or suffix in EXTENSIONS[media_type]


def _path_of(file: BinaryIO) -> Path:
    """A path by which another process opens the same file, even if it is renamed meanwhile."""
    return Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")


def _findings(dump: _Dump, pix_fmt: str, alpha: bool) -> list[Finding]:
    """What encoding the pictures again would lose."""
    found: list[Finding] = []

    def warn(identifier: str, detail: str) -> None:
        found.append(Finding(id=f"video.{identifier}", severity="warn", detail=detail))

    if alpha:
        warn("alpha", "transparency cannot be kept when the pictures are encoded again")
    for name in dump.dynamic_hdr:
        warn("dynamic-hdr", f"{name} data cannot be kept when the pictures are encoded again")
    if not alpha and not is_exact(pix_fmt):
        warn("samples", f"samples are stored as {pix_fmt} and are written as {layout_of(pix_fmt).name}")
    others = [stream for stream in dump.streams if stream.kind == "data" and stream.codec != "bin_data"]
    if others:
        warn("data-tracks", f"{len(others)} data tracks (timecode, telemetry) are not kept")
    if len(dump.of_video()) > 1:
        warn("picture-tracks", f"{len(dump.of_video())} picture tracks: only the first could be labelled")
    return found
