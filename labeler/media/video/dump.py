"""What ffmpeg prints about an input file and its first frame, read with anchored patterns.

ffmpeg runs with ``-loglevel level+info``, so every line that it begins itself has its level in front, and the file's
own texts (tags, names) cannot pass for such a line: in them a new line begins with spaces and a colon.
"""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

from labeler.media.video.info import Chapter, Colour, Mastering, Stream

__all__ = ["Dump", "FirstFrame", "complaint"]

_CHANNELS = {"mono": 1, "stereo": 2, "downmix": 2, "quad": 4, "hexagonal": 6, "octagonal": 8}
_STREAM = re.compile(
    r"  Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\(([^()]*)\))?: (Video|Audio|Subtitle|Attachment|Data|Unknown): (.*)"
)
_CHAPTER = re.compile(r"    Chapter #0:\d+: start (-?[\d.]+), end (-?[\d.]+)")
_DURATION = re.compile(r"  Duration: (?:(\d+):(\d+):([\d.]+)|N/A)(?:, start: (-?[\d.]+))?")
_TAG = re.compile(r"\s+(\S.*?)\s*: (.*)")
_MORE = re.compile(r" {20,}: (.*)")
_SIDE = re.compile(r" {6}(\S[^:]*)(?::.*)?")
_FLOATS = re.compile(r"-?\d+\.\d+")
_KEPT = frozenset(
    {
        "3x3 displaymatrix",
        "avpanscan",
        "content light level metadata",
        "cpb properties",
        "display matrix",
        "frame cropping",
        "gop timecode",
        "h.26[45] user data unregistered sei message",
        "mastering display metadata",
        "qp table properties",
        "video encoding parameters",
        "view id",
    }
)
"""Side data that goes along, is applied, or is about the coding of the old file only."""
_ERROR = re.compile(r"(?:\[[^\]]* @ 0x[0-9a-f]+\] |\[\S+ @ 0x[0-9a-f]+\] )*\[(?:error|fatal|panic)\] (.*)")


def complaint(said: str) -> str:
    """The first errors that ffmpeg told, without addresses and paths."""
    found = [match[1] for line in said.splitlines() if (match := _ERROR.match(line))]
    found = [text.split(" 'file:")[0].split(" file:")[0].strip().rstrip(".") for text in found]
    found = [
        text for text in found if text and not text.startswith(("Task finished", "Terminating", "Error"))
    ]
    return "; ".join(dict.fromkeys(found[:3]))[:300] or "ffmpeg gave no reason"


class FirstFrame:
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
        """Take in the line of colour tags."""
        words = dict(part.split(":", 1) for part in text.split() if ":" in part)
        self.colour = Colour(
            full={"pc": True, "tv": False}.get(words.get("color_range", "")),
            space=words.get("color_space", "unknown"),
            primaries=words.get("color_primaries", "unknown"),
            transfer=words.get("color_trc", "unknown"),
            chroma=self.chroma,
        )
        if self.colour.full is None and self.pix_fmt.startswith("yuvj"):
            self.colour = dataclasses.replace(self.colour, full=True)

    def side_data(self, text: str) -> None:
        """Take in a line of side data, if it is static HDR data."""
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


class Dump:
    """What ffmpeg prints about an input, and about its first frame."""

    def __init__(self, said: str) -> None:
        self.streams: list[Stream] = []
        self.chapters: list[Chapter] = []
        self.tags: dict[str, str] = {}
        self.duration = 0.0
        self.start = 0.0
        self.rotation = 0.0
        self.profile = ""
        self.lost: list[str] = []
        self.frame: FirstFrame | None = None
        self._rate: Fraction | None = None
        self._chapter_tags: dict[str, str] = {}
        self._into: dict[str, str] | None = None
        self._key = ""
        self._side = False
        self._group = False
        header = False
        for line in said.split("\n"):
            if line.startswith("[info] "):
                text = line[7:]
                if text.startswith("Input #0"):
                    header = True
                elif not text.startswith(" "):
                    header = False
                if header:
                    self._header(text)
            elif line.startswith("[Parsed_showinfo_0 @ "):
                self._first_frame(line.partition("] [info] ")[2])
            elif header and self._into is not None and (match := _MORE.fullmatch(line)) and self._key:
                self._into[self._key] += "\n" + match[1]
        self._close_chapter()
        self.streams.sort(key=lambda stream: stream.index)
        if self.frame is not None:
            self.frame.rate = self._rate

    @property
    def picture(self) -> bool:
        """There is a picture track."""
        return any(stream.kind == "video" for stream in self.streams)

    def _header(self, line: str) -> None:
        if line.startswith("  Stream group #0:"):
            self._group, self._into, self._side = True, None, False
            return
        if line.startswith("  Stream #0:"):
            self._group = False
        if self._group:  # its streams stand two columns further in
            line = line[2:]
        if match := _STREAM.fullmatch(line):
            self._close_chapter()
            self._into, self._side = None, False
            stream = self._stream(match)
            if all(stream.index != other.index for other in self.streams):
                self.streams.append(stream)
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
        elif line == "    Side data:":
            self._into = None
            self._side = self.streams[-1].kind == "video" and len(self.of_video()) == 1
        elif self._into is not None and (match := _TAG.fullmatch(line)):
            self._key = match[1]
            self._into[self._key] = match[2]
        elif self._side and (match := _SIDE.fullmatch(line)):
            if turn := re.fullmatch(
                r"\s+Display Matrix: rotation of (-?[\d.]+) degrees", line, re.IGNORECASE
            ):
                self.rotation = float(turn[1])
            self._side_data(match[1])

    def of_video(self) -> list[Stream]:
        """The picture tracks, without cover art."""
        return [stream for stream in self.streams if stream.kind == "video"]

    def _side_data(self, name: str) -> None:
        """Note side data that an encoder is not given."""
        name = name.partition("(")[0].strip()
        if name.lower() not in _KEPT and name not in self.lost:
            self.lost.append(name)

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
            self.frame = FirstFrame(text)
        elif text.startswith("n:"):
            return
        elif self.frame is not None and text.startswith("color_range:"):
            if self.frame.colour == Colour(chroma=self.frame.chroma):
                self.frame.colours(text)
        elif self.frame is not None and text.lstrip().startswith("side data - "):
            data = text.lstrip()[len("side data - ") :]
            self.frame.side_data(data)
            self._side_data(data.partition(":")[0])


def _channels(layout: str) -> int:
    layout = layout.partition("(")[0].strip()
    if match := re.match(r"(\d+) channels", layout):
        return int(match[1])
    if re.fullmatch(r"\d+(\.\d+)+", layout):
        return sum(int(part) for part in layout.split("."))
    return _CHANNELS.get(layout, 0)
