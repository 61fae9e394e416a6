#!/usr/bin/env python3
"""Makes the corpus of videos and expected.tsv (see README.md): make_corpus.py FOLDER

Fails when ffprobe does not agree with a duration that the script has computed.
"""

import concurrent.futures
import fractions
import os
import pathlib
import shutil
import struct
import subprocess
import sys

Seconds = fractions.Fraction


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *map(str, arguments)], check=True,
                   timeout=120)


def pictures(rate, size="64x64"):
    return ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}"]


def sound(seconds):
    return ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"]


H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
H264_B_FRAMES = ["-c:v", "libx264", "-preset", "fast", "-bf", "3", "-pix_fmt", "yuv420p"]
VP8 = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "100k"]


class Corpus:
    def __init__(self, folder):
        self.folder = folder
        self.rows = []
        self.steps = []

    def path(self, name):
        return self.folder / name

    def video(self, name, seconds, container, codec, make, tolerance_us=1, ffprobe_us=1000):
        """A file that is taken. `ffprobe_us`: how far ffprobe may be off (mp4 headers hold milliseconds)."""
        duration = -(-seconds.numerator * 1_000_000 // seconds.denominator)
        self.rows.append((name, "OK", duration, tolerance_us, container, codec))
        self.steps.append((name, make, (seconds, ffprobe_us)))

    def refused(self, name, reason, make):
        self.rows.append((name, reason, 0, 0, "-", "-"))
        self.steps.append((name, make, None))

    def run(self):
        # First what is encoded, several at a time; then what is cut and patched out of that.
        encoded = [step for step in self.steps if not getattr(step[1], "needs_others", False)]
        others = [step for step in self.steps if step not in encoded]
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for done in [pool.submit(self.step, *step) for step in encoded]:
                done.result()
        for step in others:
            self.step(*step)
        text = "".join("\t".join(map(str, row)) + "\n" for row in sorted(self.rows))
        self.path("expected.tsv").write_text(text)

    def step(self, name, make, check):
        make(self.path(name))
        if check is None:
            return
        seconds, most_off = check
        found = end_by_ffprobe(self.path(name))
        off = abs(found - seconds) * 1_000_000
        if off > most_off:
            sys.exit(f"{name}: expected {float(seconds)} s, ffprobe says {float(found)} s")


def end_by_ffprobe(path):
    """The end of the video track, from its packets and from its header, whichever is nearer to what edit lists leave."""
    def ask(*arguments):
        return subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "csv=p=0", *arguments, path],
                              check=True, capture_output=True, text=True).stdout.split()

    entries = ask("-show_entries", "stream=time_base,start_pts,duration_ts")[0].split(",")
    base = Seconds(entries[0])
    packets = []
    for line in ask("-show_entries", "packet=pts,duration,flags"):
        pts, duration, flags = line.split(",")[:3]
        if "D" not in flags:
            packets.append((int(pts), 0 if duration == "N/A" else int(duration)))
    end = max(pts + duration for pts, duration in packets)
    start = min(pts for pts, _ in packets)
    if path.suffix in (".mp4", ".mov") and entries[2] != "N/A":
        end = min(end, start + int(entries[2]))
    # A delay that no edit list accounts for is none of the presentation.
    if path.name.startswith("fragmented"):
        end -= start
    return end * base


def from_other(function):
    function.needs_others = True
    return function


def cut(source, share):
    @from_other
    def make(path):
        whole = (path.parent / source).read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
    return make


def copied(source, *arguments, before=()):
    @from_other
    def make(path):
        ffmpeg(*before, "-i", path.parent / source, *arguments, "-c", "copy", path)
    return make


def edit_list_ending_at(source, milliseconds):
    """Shortens the only edit of the file, and the lengths of track and movie with it."""
    @from_other
    def make(path):
        data = bytearray((path.parent / source).read_bytes())
        at = data.index(b"elst")
        version_flags, entries = struct.unpack(">II", data[at + 4: at + 12])
        assert version_flags == 0 and entries == 1
        data[at + 12: at + 16] = struct.pack(">I", milliseconds)
        for box, offset in ((b"tkhd", 24), (b"mvhd", 20)):
            at = data.index(box)
            data[at + offset: at + offset + 4] = struct.pack(">I", milliseconds)
        path.write_bytes(data)
    return make


def without_frames(path):
    """An mp4 with a video track that has no frame."""
    ffmpeg(*pictures(24), "-frames:v", 1, *H264, "-movflags", "empty_moov+frag_keyframe", path)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moof") - 4])


def with_cover(path):
    picture = path.with_suffix(".jpg")
    ffmpeg(*pictures(1), "-frames:v", 1, picture)
    ffmpeg(*sound(5), "-i", picture, "-map", 0, "-map", 1, "-c:a", "aac", "-c:v", "copy", "-disposition:v", "attached_pic",
           path)
    picture.unlink()


def written(data):
    return lambda path: path.write_bytes(data)


def encoded(*arguments):
    return lambda path: ffmpeg(*arguments, path)


def build(corpus):
    # Around the borders of a block and of the longest source, at 1000 and at 100 frames a second.
    for milliseconds in (4999, 5000, 5001, 5042):
        corpus.video(f"exact-{milliseconds}ms.mp4", Seconds(milliseconds, 1000), "mp4", "h264",
                     encoded(*pictures(1000), "-frames:v", milliseconds, *H264, "-video_track_timescale", 1000))
    for hundredths in (2999, 3000, 3001):
        result = encoded(*pictures(100), "-frames:v", hundredths, *H264, "-video_track_timescale", 1000)
        name = f"exact-{hundredths * 10}ms.mp4"
        if hundredths <= 3000:
            corpus.video(name, Seconds(hundredths, 100), "mp4", "h264", result)
        else:
            corpus.refused(name, "SOURCE_TOO_LONG", result)

    five = ["-frames:v", 120]
    corpus.video("moov-back.mp4", Seconds(121, 24), "mp4", "h264", encoded(*pictures(24), "-frames:v", 121, *H264))
    corpus.video("moov-front.mp4", Seconds(121, 24), "mp4", "h264",
                 encoded(*pictures(24), "-frames:v", 121, *H264, "-movflags", "+faststart"))
    corpus.video("b-frames.mp4", Seconds(5), "mp4", "h264", encoded(*pictures(24), *five, *H264_B_FRAMES))
    corpus.video("ntsc.mp4", Seconds(150 * 1001, 30000), "mp4", "h264",
                 encoded(*pictures("30000/1001"), "-frames:v", 150, *H264_B_FRAMES))
    corpus.video("film.mp4", Seconds(119 * 1001, 24000), "mp4", "h264",
                 encoded(*pictures("24000/1001"), "-frames:v", 119, *H264))
    corpus.video("single-frame.mp4", Seconds(1, 24), "mp4", "h264", encoded(*pictures(24), "-frames:v", 1, *H264))
    corpus.video("fragmented.mp4", Seconds(5), "mp4", "h264",
                 encoded(*pictures(24), *five, *H264, "-g", 24, "-movflags", "frag_keyframe+empty_moov+default_base_moof"))
    corpus.video("fragmented-b-frames.mp4", Seconds(5), "mp4", "h264",
                 encoded(*pictures(24), *five, *H264_B_FRAMES, "-g", 24, "-movflags", "frag_keyframe+empty_moov"))
    corpus.video("fragmented-edit-list.mp4", Seconds(5), "mp4", "h264",
                 encoded(*pictures(24), *five, *H264_B_FRAMES, "-g", 24, "-movflags", "frag_keyframe+delay_moov"))
    corpus.video("quicktime.mov", Seconds(126, 25), "mov", "h264", encoded(*pictures(25), "-frames:v", 126, *H264_B_FRAMES))
    corpus.video("quicktime-mjpeg.mov", Seconds(5), "mov", "mjpeg",
                 encoded(*pictures(25), "-frames:v", 125, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"))
    corpus.video("quicktime-pcm.mov", Seconds(5), "mov", "h264",
                 encoded(*pictures(24), *sound(7), *five, *H264, "-c:a", "pcm_s16le"))
    # Sound that is longer, and shorter, than the pictures that are billed.
    corpus.video("longer-sound.mp4", Seconds(5), "mp4", "h264",
                 encoded(*pictures(24), *sound(7), *five, *H264, "-c:a", "aac"))
    corpus.video("shorter-sound.mp4", Seconds(5), "mp4", "h264",
                 encoded(*pictures(24), *sound(2), *five, *H264, "-c:a", "aac"))

    # Matroska holds milliseconds: an even rate is exact all the same.
    corpus.video("even.webm", Seconds(5), "webm", "vp8", encoded(*pictures(30), "-frames:v", 150, *VP8), ffprobe_us=2000)
    corpus.video("film.webm", Seconds(121, 24), "webm", "vp8",
                 encoded(*pictures(24), "-frames:v", 121, *VP8), ffprobe_us=2000)
    # Opus begins 7 ms before its first sound, and the file keeps that by putting all else 7 ms later.
    corpus.video("longer-sound.webm", Seconds(5007, 1000), "webm", "vp8",
                 encoded(*pictures(25), *sound(7), "-frames:v", 125, *VP8, "-c:a", "libopus"), ffprobe_us=2000)
    corpus.video("live.webm", Seconds(5), "webm", "vp8",
                 encoded(*pictures(25), "-frames:v", 125, *VP8, "-live", 1), ffprobe_us=2000)
    corpus.video("h264.mkv", Seconds(6), "matroska", "h264",
                 encoded(*pictures(25), "-frames:v", 150, *H264_B_FRAMES), ffprobe_us=2000)

    # A second of 25 frames, then 20 of a tenth each, the last of which is told to last one tick of 10 ms.
    uneven = ["-vf", "setpts='if(lt(N,25),N/25,1+(N-25)/10)/TB'", "-fps_mode", "vfr", "-frames:v", 45]
    corpus.video("uneven.mp4", Seconds(291, 100), "mp4", "h264",
                 encoded(*pictures(100), *uneven, *H264, "-video_track_timescale", 1000))
    corpus.video("uneven.webm", Seconds(291, 100), "webm", "vp8", encoded(*pictures(100), *uneven, *VP8), ffprobe_us=2000)

    # Edit lists: nothing for a second and then the pictures; pictures cut at the front; an end inside a frame.
    one_tick = 1_000_000 // 12288 + 1
    corpus.video("edit-empty-first.mp4", Seconds(6), "mp4", "h264",
                 copied("b-frames.mp4", before=("-itsoffset", 1)))
    corpus.video("edit-cut-front.mp4", Seconds(3), "mp4", "h264",
                 copied("moov-back.mp4", "-t", 3, before=("-ss", 1)), tolerance_us=1000)
    corpus.video("edit-cut-end.mp4", Seconds(4990, 1000), "mp4", "h264", edit_list_ending_at("b-frames.mp4", 4990),
                 tolerance_us=one_tick)
    corpus.video("edit-cut-end-front.mp4", Seconds(4999, 1000), "mp4", "h264",
                 edit_list_ending_at("moov-front.mp4", 4999), tolerance_us=one_tick)

    not_a_video = "NOT_A_VIDEO"
    corpus.refused("empty.mp4", not_a_video, written(b""))
    corpus.refused("short.mp4", not_a_video, written(b"\0\0\0\x18ft"))
    corpus.refused("text.mp4", not_a_video, written(b"This is no video at all.\n" * 40))
    corpus.refused("noise.mp4", not_a_video, written(b"\0\0\0\x18ftypisom" + bytes(range(256)) * 64))
    corpus.refused("noise.webm", not_a_video, written(b"\x1aE\xdf\xa3" + bytes(range(256)) * 64))
    corpus.refused("playlist.mp4", not_a_video,
                   written(b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"))
    corpus.refused("concat.mp4", not_a_video, written(b"ffconcat version 1.0\nfile 'moov-back.mp4'\n"))
    corpus.refused("sound.mp4", not_a_video, encoded(*sound(5), "-c:a", "aac"))
    corpus.refused("sound.webm", not_a_video, encoded(*sound(5), "-c:a", "libopus"))
    corpus.refused("cover.mp4", not_a_video,
                   with_cover)
    corpus.refused("no-frames.mp4", not_a_video, without_frames)
    corpus.refused("picture.png.mp4", not_a_video, encoded(*pictures(1), "-frames:v", 1, "-f", "image2", "-c:v", "png"))
    corpus.refused("other.avi", not_a_video, encoded(*pictures(24), *five, "-c:v", "mpeg4"))
    corpus.refused("other.ts", not_a_video, encoded(*pictures(24), *five, *H264))

    truncated = "TRUNCATED"
    for share in (20, 50, 99):
        corpus.refused(f"cut-moov-back-{share}.mp4", truncated, cut("moov-back.mp4", share / 100))
    for share in (50, 99):
        corpus.refused(f"cut-moov-front-{share}.mp4", truncated, cut("moov-front.mp4", share / 100))
    corpus.refused("cut-fragmented.mp4", truncated, cut("fragmented.mp4", 0.7))
    corpus.refused("cut-even.webm", truncated, cut("even.webm", 0.6))


def main():
    folder = pathlib.Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    corpus = Corpus(folder)
    build(corpus)
    corpus.run()


if __name__ == "__main__":
    main()
