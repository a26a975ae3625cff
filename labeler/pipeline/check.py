"""What can be said against the options of labelling before any file is read."""

from __future__ import annotations

from labeler import profiles
from labeler.core.keys import PUBLIC_KEY
from labeler.errors import UsageError
from labeler.pipeline.label import new_label, watermark_key
from labeler.pipeline.options import LabelOptions, check_files
from labeler.types import Layer

__all__ = ["check_label"]


def check_label(options: LabelOptions) -> None:
    """Raise what is wrong with the options themselves, whatever the file is.

    Raises:
        UsageError: the profile, a field of the label, a file that an option names, a place or an encoder's setting.
        DependencyMissing: there is no such watermark key, or the signing certificate cannot be used.
    """
    profiles.load(options.profile)
    new_label(options)
    check_files(font=options.font, prompt=options.prompt)
    if options.key != PUBLIC_KEY.key_id and (options.layers is None or Layer.WATERMARK in options.layers):
        watermark_key(options)
    if options.certificate is not None or options.certificate_key is not None:
        from labeler.credentials import identity

        identity.load(
            options.home,
            certificate=options.certificate,
            key=options.certificate_key,
            passphrase=options.passphrase,
        )
    if options.quality is not None and not 1 <= options.quality <= 100:
        raise UsageError(
            f"--quality {options.quality} is not from 1 to 100.",
            remedy="Leave it out for about the source's own.",
        )
    if options.audible_place:
        from labeler.visible.audio import seconds_of

        seconds_of(options.audible_place)
    if options.visible_seconds is not None:
        from labeler.visible.video import frames_shown

        frames_shown(1, options.visible_seconds)
    if options.crf is not None or options.preset or options.hardware:
        from labeler.media.video.choices import check_settings
        from labeler.media.video.settings import CODECS

        check_settings(
            (options.codec,) if options.codec in CODECS else CODECS,
            quality=options.crf,
            preset=options.preset or None,
            hardware=options.hardware or None,
        )
