"""What a caller chooses of a video encoder is checked before anything is encoded."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import ffmpeg
import pytest

from labeler.errors import DamagedMedia, DependencyMissing, UnsupportedMedia, UsageError
from labeler.media import ffmpeg as engine
from labeler.media.video.arrays import new_video
from labeler.media.video.choices import check_encoder, check_settings
from labeler.media.video.settings import CODECS, HARDWARE, command

NOTHING: dict[str, Any] = {"quality": None, "preset": None, "hardware": None}


def test_the_defaults_are_choices() -> None:
    for name, codec in CODECS.items():
        check_settings([name], **NOTHING)
        check_settings([name], **(NOTHING | {"quality": codec.quality, "preset": codec.preset}))


@pytest.mark.parametrize(
    ("codecs", "choice", "words"),
    [
        (["h264"], {"quality": 999}, r"--crf 999 .* Give 0 to 51 \(h264\)\."),
        (["hevc"], {"quality": 51.5}, "0 to 51"),
        (["vp9"], {"quality": -1}, "0 to 63"),
        (["av1"], {"quality": float("nan")}, "0 to 63"),
        (list(CODECS), {"quality": 64}, r"0 to 51 \(h264, hevc\); 0 to 63 \(vp9, av1\); 4 to 63 \(vp8\)"),
        (["h264"], {"preset": "8"}, "--preset 8 .* Give ultrafast, .*, placebo"),
        (["av1"], {"preset": "fast"}, r"-1 to 13 \(av1\)"),
        (["h264"], {"preset": "slow", "hardware": "vaapi"}, "none"),
        (["h264"], {"preset": "placebo", "hardware": "qsv"}, "veryfast, .*, veryslow"),
        (["hevc"], {"quality": 0, "hardware": "videotoolbox"}, "1 to 100"),
        (["h264"], {"hardware": "nowhere"}, "nvenc, qsv"),
    ],
)
def test_a_wrong_choice_names_the_right_ones(codecs: list[str], choice: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_settings(codecs, **(NOTHING | choice))
    caught.match(words)


def test_one_codec_that_takes_it_suffices() -> None:
    check_settings(CODECS, **(NOTHING | {"quality": 60, "preset": "medium"}))


@pytest.mark.parametrize("name", ["h264", "hevc", "vp9", "vp8", "av1"])
def test_the_ends_of_every_list_are_taken_by_the_encoder(name: str) -> None:
    codec = CODECS[name]
    option = "cpu-used" if codec.encoder.startswith("libvpx") else "preset"
    for preset, quality in zip((codec.presets[0], codec.presets[-1]), codec.scale, strict=True):
        options = {
            "c:v": codec.encoder,
            option: preset,
            "crf": quality,
            "pix_fmt": "yuv420p",
            **codec.options,
        }
        black = ffmpeg.input("color=black:size=64x64:rate=25:duration=0.1", f="lavfi")
        engine.run(ffmpeg.output(black, "pipe:", f="null", **options))
    if option == "cpu-used":  # beyond the list ffmpeg itself refuses
        options["cpu-used"] = int(codec.presets[-1]) + 1
        with pytest.raises(DamagedMedia):
            engine.run(ffmpeg.output(black, "pipe:", f="null", **options))


def test_hardware_that_is_not_here_is_a_missing_dependency() -> None:
    missing = []
    for family in HARDWARE:
        try:
            check_encoder("h264", **(NOTHING | {"hardware": family}))
        except DependencyMissing as error:
            assert family in error.message and "--hardware" in error.remedy
            missing.append(family)
    assert missing, "no machine has all of it"


@pytest.mark.parametrize("family", HARDWARE)
def test_hardware_is_given_frames_and_quality_in_its_own_words(family: str, tmp_path: Path) -> None:
    """No such device is at hand: what ffmpeg would be told."""
    choices: dict[str, Any] = {
        "codec": "hevc", "quality": 30, "preset": None, "hardware": family, "audio": None, "audio_demuxer": ""
    }  # fmt: skip
    clip = new_video(64, 48, 25)
    told = " ".join(ffmpeg.compile(command(None, tmp_path / "a.mp4", clip, **choices)))
    assert f"hevc_{family}" in told and "format=nv12" in told and ":v:0 30" in told and "crf" not in told
    assert ("hwupload" in told) == ("init_hw_device" in told) == (family == "vaapi")
    odd = dataclasses.replace(clip, width=63)
    with pytest.raises(UnsupportedMedia, match="odd side"):
        command(None, tmp_path / "a.mp4", odd, **choices)
