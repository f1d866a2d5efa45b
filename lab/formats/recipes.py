"""Which files there are: every container, codec, rate and number of channels that can be made."""

from __future__ import annotations

from collections.abc import Iterator

from .handmade import handmade
from .recipe import ByLibsndfile, Recipe, by_ffmpeg, by_program, family

LOW, USUAL, HIGH = (8000, 11025, 16000, 22050), (32000, 44100, 48000), (88200, 96000, 192000)
ALL_RATES = (8000, 11025, 12000, 16000, 22050, 24000, *USUAL, *HIGH)
FEW_RATES = (8000, 22050, 44100, 48000, 96000)
MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
BOTH = (False, True)
MONO_STEREO = (1, 2)
UP_TO_SEVEN = (1, 2, 3, 4, 5, 6, 8)


def all_recipes() -> list[Recipe]:
    """List every recipe, the usual formats first.

    Returns
    -------
    list of Recipe
    """
    rooms = (
        _mp3, _flac, _ogg, _mp4, _matroska, _wav, _wav_relatives, _aiff, _au, _caf,
        _adts_and_dolby, _windows_media, _lossless, _old_mpeg, _speech, _video, _sndfile_only,
        handmade,
    )  # fmt: skip
    found = [recipe for room in rooms for recipe in room()]
    return list({recipe.name: recipe for recipe in found}.values())


def _mp3() -> Iterator[Recipe]:
    def mp3(variant: str, *options: str, **spread: object) -> Iterator[Recipe]:
        maker = by_program("lame", "--quiet", *options, "{in}", "{out}")
        return family("mp3", "mp3", ".mp3", maker, variant, **spread)  # type: ignore[arg-type]

    yield from mp3("cbr 128", "-b", "128", loudness=BOTH)
    yield from mp3("default", rates=MPEG_RATES, channels=MONO_STEREO)
    yield from mp3("vbr V2", "-V", "2", rates=MPEG_RATES, channels=MONO_STEREO)
    yield from mp3("cbr 320", "-b", "320", rates=USUAL)
    yield from mp3("abr 160", "--abr", "160")
    yield from mp3("cbr 128 no Xing", "-b", "128", "-t")
    yield from mp3("vbr V5 no Xing", "-V", "5", "-t")
    yield from mp3("free format 400", "--freeformat", "-b", "400")
    yield from mp3("simple stereo", "-m", "s")
    yield from mp3("joint stereo", "-m", "j")
    yield from mp3("forced mid side", "-m", "f")
    yield from mp3("dual channel", "-m", "d")
    yield from mp3("CRC", "-p")
    yield from mp3("ID3v2 tag", "--id3v2-only", "--tt", "title", "--pad-id3v2-size", "20000")
    yield from mp3("ID3v1 tag", "--id3v1-only", "--tt", "title")
    for name in ("libmp3lame", "libshine"):
        yield from family("mp3", "mp3", ".mp3", by_ffmpeg("-c:a", name), name, rates=USUAL)
    bare = by_ffmpeg("-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0")
    yield from family("mp3", "mp3", ".mp3", bare, "libmp3lame bare", rates=(22050, 44100))
    yield from family("mp3", "mp3", ".mp3", ByLibsndfile("MP3", "MPEG_LAYER_III"), "libsndfile")


def _flac() -> Iterator[Recipe]:
    for depth, subtype in ((8, "PCM_U8"), (16, "PCM_16"), (24, "PCM_24"), (32, "PCM_32")):
        maker = by_program(
            "flac", "-s", "-f", "--channel-map=none", "-o", "{out}", "{in}", subtype=subtype
        )
        rates = ALL_RATES if depth in (16, 24) else (44100,)
        yield from family("flac", "flac", ".flac", maker, f"{depth} bit", rates=rates)
        yield from family(
            "flac", "flac", ".flac", maker, f"{depth} bit", channels=(1, *range(3, 9))
        )
    for depth, form in ((16, "s16"), (24, "s32")):
        maker = by_ffmpeg("-c:a", "flac", "-sample_fmt", form)
        channels = (1, 2, 6)
        yield from family(
            "flac", "flac", ".flac", maker, f"ffmpeg {depth} bit", channels=channels, loudness=BOTH
        )
        yield from family(
            "ogg", "flac", ".oga", maker, f"{depth} bit", channels=channels, loudness=BOTH
        )
        yield from family(
            "mp4", "flac", ".mp4", maker, f"{depth} bit", channels=channels, loudness=BOTH
        )
        yield from family(
            "matroska", "flac", ".mka", maker, f"{depth} bit", channels=channels, loudness=BOTH
        )
    yield from family(
        "ogg", "flac", ".oga", by_program("flac", "-s", "--ogg", "-o", "{out}", "{in}"), "own"
    )
    yield from family("flac", "flac", ".flac", ByLibsndfile("FLAC", "PCM_16"), "libsndfile")


def _ogg() -> Iterator[Recipe]:
    oggenc = by_program("oggenc", "-Q", "-o", "{out}", "{in}")
    yield from family("ogg", "vorbis", ".ogg", oggenc, "oggenc", rates=ALL_RATES)
    yield from family(
        "ogg", "vorbis", ".ogg", oggenc, "oggenc", channels=UP_TO_SEVEN, loudness=BOTH
    )
    maker = by_ffmpeg("-c:a", "libvorbis")
    yield from family("ogg", "vorbis", ".ogg", maker, "ffmpeg", rates=FEW_RATES)
    yield from family("ogg", "vorbis", ".ogg", maker, "ffmpeg", channels=(1, 2, 6))
    opusenc = by_program("opusenc", "--quiet", "{in}", "{out}")
    yield from family("ogg", "opus", ".opus", opusenc, "opusenc", rates=ALL_RATES)
    yield from family(
        "ogg", "opus", ".opus", opusenc, "opusenc", channels=UP_TO_SEVEN, loudness=BOTH
    )
    voice = by_program("opusenc", "--quiet", "--speech", "--bitrate", "16", "{in}", "{out}")
    yield from family("ogg", "opus", ".opus", voice, "opusenc speech", channels=MONO_STEREO)
    libopus = by_ffmpeg("-c:a", "libopus")
    yield from family("ogg", "opus", ".opus", libopus, "ffmpeg", rates=(48000,), channels=(1, 2, 6))
    yield from family("ogg", "opus", ".opus", ByLibsndfile("OGG", "OPUS"), "libsndfile",
                      rates=(48000,))  # fmt: skip
    speex = by_program("speexenc", "{in}", "{out}")
    yield from family("ogg", "speex", ".spx", speex, "speexenc", rates=(8000, 16000, 32000),
                      channels=MONO_STEREO)  # fmt: skip
    yield from family("ogg", "speex", ".spx", by_ffmpeg("-c:a", "libspeex"), "ffmpeg",
                      rates=(8000, 16000, 32000), channels=MONO_STEREO)  # fmt: skip


def _mp4() -> Iterator[Recipe]:
    aac = by_ffmpeg("-c:a", "aac", "-b:a", "160k")
    rates = (8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)
    yield from family("mp4", "aac", ".m4a", aac, rates=rates, channels=MONO_STEREO)
    yield from family("mp4", "aac", ".m4a", aac, channels=UP_TO_SEVEN, loudness=BOTH)
    yield from family("mp4", "aac", ".m4a", by_ffmpeg("-c:a", "aac", "-movflags", "+faststart"),
                      "index first")  # fmt: skip
    yield from family("mp4", "aac", ".m4a", by_ffmpeg(
        "-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov", "-frag_duration", "500000"),
        "fragmented")  # fmt: skip
    yield from family("mp4", "aac", ".mov", aac, "QuickTime")
    yield from family("mp4", "aac", ".3gp", aac, "3GPP")
    for depth, form in ((16, "s16p"), (24, "s32p")):
        maker = by_ffmpeg("-c:a", "alac", "-sample_fmt", form)
        yield from family("mp4", "alac", ".m4a", maker, f"{depth} bit", rates=FEW_RATES)
        yield from family(
            "mp4", "alac", ".m4a", maker, f"{depth} bit", channels=(1, 2, 6, 8), loudness=BOTH
        )
    yield from family("mp4", "opus", ".mp4", by_ffmpeg("-c:a", "libopus"), rates=(48000,),
                      channels=(1, 2, 6))  # fmt: skip
    for codec, name in (("mp3", "libmp3lame"), ("ac3", "ac3"), ("eac3", "eac3"), ("mp2", "mp2"),
                        ("vorbis", "libvorbis")):  # fmt: skip
        yield from family("mp4", codec, ".mp4", by_ffmpeg("-c:a", name))
    for name in ("pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le",
                 "pcm_f64be", "pcm_u8", "pcm_s8", "pcm_alaw", "pcm_mulaw",
                 "adpcm_ima_qt"):  # fmt: skip
        maker = by_ffmpeg("-c:a", name)
        yield from family("mov", name, ".mov", maker, channels=MONO_STEREO)


def _matroska() -> Iterator[Recipe]:
    for ending in (".webm", ".mka"):
        opus = by_ffmpeg("-c:a", "libopus")
        name = "webm" if ending == ".webm" else "matroska"
        yield from family(name, "opus", ending, opus, rates=(48000,), channels=(1, 2, 6, 8))
        yield from family(name, "opus", ending, opus, rates=(16000,))
        yield from family(
            name, "vorbis", ending, by_ffmpeg("-c:a", "libvorbis"), channels=(1, 2, 6)
        )
    for codec, *arguments in (
        ("aac", "aac"), ("mp3", "libmp3lame"), ("mp2", "mp2"), ("ac3", "ac3"), ("eac3", "eac3"),
        ("dts", "dca", "-strict", "-2"), ("alac", "alac"), ("tta", "tta"), ("wavpack", "wavpack"),
        ("truehd", "truehd", "-strict", "-2"), ("pcm_s16le", "pcm_s16le"),
        ("pcm_s24le", "pcm_s24le"), ("pcm_f32le", "pcm_f32le"), ("pcm_s16be", "pcm_s16be"),
    ):  # fmt: skip
        channels: tuple[int, ...] = (2,) if codec in ("mp3", "mp2") else (2, 6)
        maker = by_ffmpeg("-c:a", *arguments)
        yield from family("matroska", codec, ".mka", maker, channels=channels)


def _wav() -> Iterator[Recipe]:
    for name in ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le",
                 "pcm_alaw", "pcm_mulaw"):  # fmt: skip
        maker = by_ffmpeg("-c:a", name)
        rates = ALL_RATES if name == "pcm_s16le" else FEW_RATES
        yield from family("wav", name, ".wav", maker, "ffmpeg", rates=rates)
        channels = (1, 2, 3, 4, 6, 8)
        yield from family("wav", name, ".wav", maker, "ffmpeg", channels=channels, loudness=BOTH)
    for name in ("adpcm_ms", "adpcm_ima_wav", "adpcm_yamaha", "g722", "g726", "adpcm_swf"):
        maker = by_ffmpeg("-c:a", name)
        yield from family("wav", name, ".wav", maker, "ffmpeg", rates=(8000, 44100),
                          channels=MONO_STEREO)  # fmt: skip
    for codec, name in (("mp3", "libmp3lame"), ("mp2", "mp2"), ("ac3", "ac3"), ("aac", "aac"),
                        ("wmav2", "wmav2"), ("wmav1", "wmav1")):  # fmt: skip
        yield from family("wav", codec, ".wav", by_ffmpeg("-c:a", name), "ffmpeg")
    yield from family("wav", "dts", ".wav", by_ffmpeg("-c:a", "dca", "-strict", "-2"), "ffmpeg")
    yield from family("wav", "gsm_ms", ".wav", by_ffmpeg("-c:a", "libgsm_ms"), "ffmpeg",
                      rates=(8000,), channels=(1,))  # fmt: skip
    for form, container in (("WAV", "wav"), ("WAVEX", "wavex")):
        for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW",
                        "IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "NMS_ADPCM_16",
                        "NMS_ADPCM_24", "NMS_ADPCM_32", "MPEG_LAYER_III"):  # fmt: skip
            if subtype not in soundfile_subtypes(form):
                continue
            maker = ByLibsndfile(form, subtype)
            yield from family(container, subtype, ".wav", maker, "libsndfile",
                              channels=(1, 2, 6), loudness=BOTH)  # fmt: skip
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        maker = ByLibsndfile("WAV", subtype, "BIG")
        yield from family("rifx", subtype, ".wav", maker, channels=(1, 2, 6), loudness=BOTH)


def soundfile_subtypes(form: str) -> tuple[str, ...]:
    """List what libsndfile can put into a container."""
    import soundfile

    return tuple(soundfile.available_subtypes(form))


def _wav_relatives() -> Iterator[Recipe]:
    for name in ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le"):
        maker = by_ffmpeg("-c:a", name, "-rf64", "always")
        yield from family("rf64", name, ".wav", maker, "ffmpeg", channels=(1, 2, 6), loudness=BOTH)
        maker = by_ffmpeg("-c:a", name, "-f", "w64")
        yield from family("w64", name, ".w64", maker, "ffmpeg", channels=(1, 2, 6), loudness=BOTH)
    for form in ("RF64", "W64"):
        for subtype in soundfile_subtypes(form):
            maker = ByLibsndfile(form, subtype)
            yield from family(form.lower(), subtype, f".{form.lower()}", maker, "libsndfile",
                              channels=(1, 2, 6))  # fmt: skip


def _aiff() -> Iterator[Recipe]:
    for name in ("pcm_s8", "pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_s16le", "pcm_f32be",
                 "pcm_f64be", "pcm_alaw", "pcm_mulaw", "adpcm_ima_qt"):  # fmt: skip
        maker = by_ffmpeg("-c:a", name)
        rates = FEW_RATES if name == "pcm_s16be" else (44100,)
        yield from family("aiff", name, ".aiff", maker, "ffmpeg", rates=rates,
                          channels=(1, 2, 6), loudness=BOTH)  # fmt: skip
    for subtype in soundfile_subtypes("AIFF"):
        maker = ByLibsndfile("AIFF", subtype)
        yield from family("aiff", subtype, ".aiff", maker, "libsndfile", channels=(1, 2, 6),
                          loudness=BOTH)  # fmt: skip


def _au() -> Iterator[Recipe]:
    for name in ("pcm_s8", "pcm_s16be", "pcm_s24be", "pcm_s32be", "pcm_f32be", "pcm_f64be",
                 "pcm_alaw", "pcm_mulaw"):  # fmt: skip
        maker = by_ffmpeg("-c:a", name)
        yield from family("au", name, ".au", maker, "ffmpeg", channels=(1, 2, 6), loudness=BOTH)
    for endian in ("BIG", "LITTLE"):
        for subtype in soundfile_subtypes("AU"):
            maker = ByLibsndfile("AU", subtype, endian)
            variant = f"libsndfile {endian.lower()}"
            yield from family("au", subtype, ".au", maker, variant, channels=(1, 2))


def _caf() -> Iterator[Recipe]:
    for name in ("pcm_s16le", "pcm_s16be", "pcm_s24be", "pcm_f32le", "pcm_u8", "pcm_s8", "pcm_alaw",
                 "pcm_mulaw", "adpcm_ima_qt", "alac", "libopus", "aac", "libmp3lame"):  # fmt: skip
        maker = by_ffmpeg("-c:a", name)
        rates = (48000,) if name == "libopus" else (44100,)
        yield from family("caf", name, ".caf", maker, "ffmpeg", rates=rates, channels=(1, 2, 6),
                          loudness=BOTH)  # fmt: skip
    for subtype in soundfile_subtypes("CAF"):
        maker = ByLibsndfile("CAF", subtype)
        many = FEW_RATES if subtype in ("PCM_16", "ALAC_16") else (44100,)
        yield from family("caf", subtype, ".caf", maker, "libsndfile", rates=many,
                          channels=(1, 2, 6), loudness=BOTH)  # fmt: skip
        if subtype[:3] in ("PCM", "FLO", "DOU"):
            maker = ByLibsndfile("CAF", subtype, "LITTLE")
            yield from family("caf", subtype, ".caf", maker, "libsndfile little",
                              channels=(1, 2), loudness=BOTH)  # fmt: skip


def _adts_and_dolby() -> Iterator[Recipe]:
    aac = by_ffmpeg("-c:a", "aac", "-b:a", "160k")
    rates = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
    yield from family("adts", "aac", ".aac", aac, rates=rates, channels=MONO_STEREO)
    yield from family("adts", "aac", ".aac", aac, channels=UP_TO_SEVEN)
    for profile, name in ((5, "HE"), (29, "HE v2"), (23, "LD"), (39, "ELD")):
        maker = by_program("fdkaac", "-p", str(profile), "-b", "48", "-o", "{out}", "{in}")
        channels: tuple[int, ...] = (2,) if profile == 29 else MONO_STEREO
        yield from family("mp4", "aac", ".m4a", maker, name, rates=USUAL, channels=channels)
        if profile in (5, 29):
            maker = by_program("fdkaac", "-p", str(profile), "-f", "2", "-b", "48", "-o", "{out}",
                               "{in}")  # fmt: skip
            yield from family("adts", "aac", ".aac", maker, name, rates=USUAL, channels=channels)
    yield from family("loas", "aac", ".latm", by_ffmpeg("-c:a", "aac", "-f", "latm"))
    for codec in ("ac3", "eac3"):
        maker = by_ffmpeg("-c:a", codec)
        yield from family(codec, codec, f".{codec}", maker, rates=USUAL, channels=range(1, 7))
    dts = by_ffmpeg("-c:a", "dca", "-strict", "-2")
    yield from family("dts", "dts", ".dts", dts, rates=(44100, 48000), channels=(1, 2, 4, 5, 6))
    for codec in ("truehd", "mlp"):
        maker = by_ffmpeg("-c:a", codec, "-strict", "-2")
        name = ".thd" if codec == "truehd" else ".mlp"
        yield from family(codec, codec, name, maker, rates=(44100, 48000, 96000), channels=(2, 6))


def _windows_media() -> Iterator[Recipe]:
    for codec in ("wmav1", "wmav2"):
        maker = by_ffmpeg("-c:a", codec)
        rates = (8000, 11025, 16000, 22050, 32000, 44100, 48000)
        yield from family("asf", codec, ".wma", maker, rates=rates, channels=MONO_STEREO)
    for codec, name in (("mp3", "libmp3lame"), ("pcm_s16le", "pcm_s16le"), ("aac", "aac")):
        yield from family("asf", codec, ".wma", by_ffmpeg("-c:a", name))


def _lossless() -> Iterator[Recipe]:
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"):
        maker = by_program("wavpack", "-q", "-y", "{in}", "-o", "{out}", subtype=subtype)
        yield from family("wavpack", "wavpack", ".wv", maker, subtype, rates=FEW_RATES,
                          channels=(1, 2, 6))  # fmt: skip
    lossy = by_program("wavpack", "-q", "-y", "-b320", "{in}", "-o", "{out}")
    yield from family("wavpack", "wavpack", ".wv", lossy, "lossy")
    yield from family("wavpack", "wavpack", ".wv", by_ffmpeg("-c:a", "wavpack"), "ffmpeg",
                      loudness=BOTH)  # fmt: skip
    for form, depth in (("u8", 8), ("s16", 16), ("s32", 24)):
        maker = by_ffmpeg("-c:a", "tta", "-sample_fmt", form)
        yield from family("tta", "tta", ".tta", maker, f"{depth} bit", rates=(44100, 96000),
                          channels=(1, 2, 6))  # fmt: skip
    for level in ("1000", "2000", "3000", "5000"):
        mac = by_program("mac", "{in}", "{out}", f"-c{level}")
        yield from family("ape", "ape", ".ape", mac, f"level {level}", rates=(44100, 96000),
                          channels=MONO_STEREO)  # fmt: skip
    mac = by_program("mac", "{in}", "{out}", "-c2000", subtype="PCM_24")
    yield from family("ape", "ape", ".ape", mac, "24 bit")
    mpc = by_program("mpcenc", "--silent", "--overwrite", "{in}", "{out}")
    yield from family("musepack", "musepack", ".mpc", mpc, "SV8", rates=USUAL, channels=MONO_STEREO)


def _old_mpeg() -> Iterator[Recipe]:
    for name in ("mp2", "libtwolame"):
        maker = by_ffmpeg("-c:a", name)
        rates = (16000, 22050, 24000, 32000, 44100, 48000)
        yield from family("mp2", "mp2", ".mp2", maker, name, rates=rates, channels=MONO_STEREO)
    yield from family("mp2", "mp2", ".mp2", by_program("twolame", "{in}", "{out}"), "twolame",
                      rates=USUAL)  # fmt: skip


def _speech() -> Iterator[Recipe]:
    yield from family(
        "gsm", "gsm", ".gsm", by_ffmpeg("-c:a", "libgsm"), rates=(8000,), channels=(1,)
    )
    yield from family("amr", "amr_nb", ".amr", by_program("sox", "{in}", "{out}"), rates=(8000,),
                      channels=(1,))  # fmt: skip
    yield from family("amr", "amr_wb", ".awb", by_program("sox", "{in}", "{out}"), rates=(16000,),
                      channels=(1,))  # fmt: skip
    yield from family("g722", "g722", ".g722", by_ffmpeg("-c:a", "g722"), rates=(16000,),
                      channels=(1,))  # fmt: skip
    yield from family("rm", "real_144", ".rm", by_ffmpeg("-c:a", "real_144"), rates=(8000,),
                      channels=(1,))  # fmt: skip
    yield from family("rm", "ac3", ".rm", by_ffmpeg("-c:a", "ac3"))
    yield from family("adx", "adpcm_adx", ".adx", by_ffmpeg("-c:a", "adpcm_adx"))
    yield from family("sbc", "sbc", ".sbc", by_ffmpeg("-c:a", "sbc"))
    yield from family("aptx", "aptx", ".aptx", by_ffmpeg("-c:a", "aptx"), rates=(44100,))
    yield from family("oma", "atrac", ".oma", by_ffmpeg("-c:a", "atrac3"))


def _video() -> Iterator[Recipe]:
    for container, ending, codecs in (
        ("avi", ".avi", ("pcm_s16le", "libmp3lame", "mp2", "ac3", "aac", "adpcm_ms", "wmav2")),
        ("flv", ".flv", ("libmp3lame", "aac", "adpcm_swf", "pcm_s16le", "nellymoser")),
        ("mpegts", ".ts", ("aac", "libmp3lame", "mp2", "ac3", "eac3", "libopus")),
        ("mpegps", ".mpg", ("mp2", "ac3", "libmp3lame")),
        ("nut", ".nut", ("pcm_s16le", "flac", "aac", "libmp3lame", "libvorbis", "libopus")),
    ):
        for name in codecs:
            codec = {"libmp3lame": "mp3", "libvorbis": "vorbis", "libopus": "opus"}.get(name, name)
            rate = 48000 if codec == "opus" else 44100
            yield from family(container, codec, ending, by_ffmpeg("-c:a", name), rates=(rate,))
    s302m = by_ffmpeg("-c:a", "s302m", "-strict", "-2")
    yield from family("mpegts", "s302m", ".ts", s302m, rates=(48000,))


def _sndfile_only() -> Iterator[Recipe]:
    endings = {
        "AVR": ".avr", "HTK": ".htk", "SVX": ".iff", "MAT4": ".mat", "MAT5": ".mat", "PAF": ".paf",
        "PVF": ".pvf", "SDS": ".sds", "IRCAM": ".sf", "VOC": ".voc", "NIST": ".sph", "WVE": ".wve",
        "XI": ".xi", "MPC2K": ".snd",
    }  # fmt: skip
    for form, ending in endings.items():
        for subtype in soundfile_subtypes(form):
            # An 8-bit VOC file cannot tell every rate.
            low = form == "WVE" or (form, subtype) == ("VOC", "PCM_U8")
            rates = (8000,) if low else (44100,)
            yield from family(form.lower(), subtype, ending, ByLibsndfile(form, subtype),
                              "libsndfile", rates=rates, channels=MONO_STEREO)  # fmt: skip
