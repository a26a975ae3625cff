"""Small videos of every container, made by the bundled ffmpeg, and what ffmpeg sees in a file."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from labeler.media import ffmpeg

MP4, MOV, MKV, WEBM = "video/mp4", "video/quicktime", "video/x-matroska", "video/webm"
AVI, FLV, M4A = "video/x-msvideo", "video/x-flv", "audio/mp4"

FILES: dict[str, tuple[str, str, list[str]]] = {
    "plain.mp4": (MP4, "h264", []),
    "faststart.mp4": (MP4, "h264", ["-movflags", "faststart", "-metadata", "title=Hello"]),
    "fragmented.mp4": (MP4, "h264", ["-movflags", "frag_keyframe+empty_moov+default_base_moof+global_sidx"]),
    "old-fragments.mp4": (MP4, "h264", ["-movflags", "frag_keyframe+empty_moov"]),
    "plain.mov": (MOV, "h264", ["-movflags", "faststart"]),
    "tagged.mov": (MOV, "h264", ["-movflags", "use_metadata_tags", "-metadata", "kept=yes"]),
    "plain.mkv": (MKV, "h264", ["-metadata", "kept=yes"]),
    "cues-first.mkv": (MKV, "h264", ["-cues_to_front", "1"]),
    "live.webm": (WEBM, "vp8", ["-live", "1", "PIPE"]),
    "plain.avi": (AVI, "mpeg4", ["-metadata", "title=Hello"]),
    "indexed.flv": (FLV, "h264", ["-flvflags", "add_keyframe_index"]),
    "bare.flv": (FLV, "h264", ["-flvflags", "no_metadata"]),
    "sound.m4a": (M4A, "", ["-movflags", "faststart"]),
}
"""Name -> media type, codec of the picture, options of the muxer."""

_CODECS = {
    "h264": ["-c:v", "libx264", "-preset", "ultrafast", "-g", "8"],
    "vp8": ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "8"],
    "mpeg4": ["-c:v", "mpeg4", "-g", "8"],
    "": [],
}
_MUXERS = {MP4: "mp4", MOV: "mov", MKV: "matroska", WEBM: "webm", AVI: "avi", FLV: "flv", M4A: "ipod"}
_SOUND = {WEBM: "libopus", MKV: "libopus", AVI: "libmp3lame"}


@functools.cache
def video(name: str) -> bytes:
    """One of ``FILES``: 1.6 s of 96 x 64 at 20 frames a second, with sound; 31 kB at most."""
    media_type, codec, options = FILES[name]
    sources = ["-f", "lavfi", "-i", "sine=d=1.6:r=48000"]
    maps = ["-map", "0:a", "-c:a", _SOUND.get(media_type, "aac"), "-b:a", "48k"]
    if codec:
        sources += ["-f", "lavfi", "-i", "testsrc2=s=96x64:d=1.6:r=20"]
        maps += ["-map", "1:v", "-pix_fmt", "yuv420p", "-threads", "1", *_CODECS[codec]]
    muxer = ["-f", _MUXERS[media_type], *(option for option in options if option != "PIPE")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        target = "pipe:1" if "PIPE" in options else str(path)
        done = _run([*sources, *maps, "-fflags", "+bitexact", *muxer, target])
        return done if "PIPE" in options else path.read_bytes()


def packets(data: bytes, media_type: str, *, start: float = 0.0) -> bytes:
    """Time stamps, sizes and checksums of all packets from ``start`` seconds, as ffmpeg reads them."""
    return _through(data, media_type, ["-map", "0", "-c", "copy", "-f", "framecrc"], start)


def frames(data: bytes, media_type: str, *, start: float = 0.0) -> bytes:
    """Checksums of the decoded pictures and sound."""
    return _through(data, media_type, ["-map", "0", "-f", "framemd5"], start)


def tags(data: bytes, media_type: str) -> str:
    """The file's metadata as ffmpeg reads it."""
    return _through(data, media_type, ["-map_metadata", "0", "-f", "ffmetadata"], 0.0).decode()


def _through(data: bytes, media_type: str, options: list[str], start: float) -> bytes:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        seek = ["-ss", str(start)] if start else []
        return _run([*seek, "-f", ffmpeg.DEMUXERS[media_type], "-i", f"file:{file.name}", *options, "pipe:1"])


def _run(arguments: list[str]) -> bytes:
    command = [str(ffmpeg.executable()), "-nostdin", "-v", "error", "-y", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    return done.stdout
