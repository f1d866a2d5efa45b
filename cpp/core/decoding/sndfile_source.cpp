#include "sndfile_source.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <utility>
#include <vector>

#include "error.h"
#include "file_tags.h"
#include "mono_mix.h"
#include "mpeg_frames.h"
#include "mpeg_stream.h"
#include "ogg_parts.h"
#include "opus_packet.h"
#include "sndfile_library.h"

namespace maest {
namespace {

constexpr std::size_t kWindow = 1U << 20;
constexpr std::int64_t kFrames = 4096;    // read at once
constexpr int kWarmUp = 6;                // frames of MPEG audio, before a place that is gone to
constexpr int kShortWarmUp = 1;           // likewise, where the last bit may differ
constexpr int kShortestSkip = 8;          // likewise: fewer cost more to go past than to decode
constexpr int kLongestReach = 2;          // likewise
constexpr int kMostFailures = 10000;      // one after the other; each is a packet
constexpr int kMostChannels = 1024;       // of libsndfile
constexpr int kHighestRate = 10'000'000;  // Hz

// libsndfile's view of a stream of bytes.
class OpenStream {
 public:
  OpenStream(const SndfileFunctions& functions, ByteStream& bytes)
      : functions_(functions), bytes_(bytes) {
    SndfileIo io{
        [](void* data) { return self(data).bytes_.size(); },
        [](std::int64_t offset, int whence, void* data) { return self(data).go(offset, whence); },
        [](void* to, std::int64_t count, void* data) { return self(data).give(to, count); },
        [](const void*, std::int64_t, void*) { return std::int64_t{0}; },
        [](void* data) { return self(data).at_; },
    };
    file_ = functions_.open_virtual(&io, SndfileFunctions::kRead, &info_, this);
    if (file_ == nullptr) {
      throw AudioError(message("libsndfile cannot open it: ", text(nullptr)));
    }
    if (info_.rate < 1 || info_.rate > kHighestRate || info_.channels < 1 ||
        info_.channels > kMostChannels) {
      functions_.close(file_);
      throw AudioError(message("it says that it has ", info_.channels, " channels at ", info_.rate,
                               " Hz, which cannot be"));
    }
  }
  ~OpenStream() { functions_.close(file_); }
  OpenStream(const OpenStream&) = delete;
  OpenStream& operator=(const OpenStream&) = delete;

  const SndfileInfo& info() const { return info_; }

  std::size_t read(float* samples, std::int64_t count) {
    return static_cast<std::size_t>(
        std::clamp<std::int64_t>(functions_.readf_float(file_, samples, count), 0, count));
  }
  bool failed() const { return functions_.error(file_) != 0; }
  std::string reason() const { return text(file_); }
  bool seek(std::int64_t frame) { return functions_.seek(file_, frame, SEEK_SET) == frame; }

 private:
  static OpenStream& self(void* data) { return *static_cast<OpenStream*>(data); }

  std::string text(SndfileFunctions::File* file) const {
    std::string reason = functions_.strerror(file);
    while (!reason.empty() && (reason.back() == '.' || reason.back() == '\n')) reason.pop_back();
    return reason;
  }

  std::int64_t go(std::int64_t offset, int whence) {
    const std::int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? at_ : bytes_.size();
    if (offset < -from || offset > std::numeric_limits<std::int64_t>::max() / 2) return -1;
    at_ = from + offset;
    return at_;
  }

  std::int64_t give(void* to, std::int64_t count) {
    if (count <= 0) return 0;
    const std::size_t got =
        bytes_.read(at_, static_cast<char*>(to), static_cast<std::size_t>(count));
    at_ += static_cast<std::int64_t>(got);
    return static_cast<std::int64_t>(got);
  }

  const SndfileFunctions& functions_;
  ByteStream& bytes_;
  std::int64_t at_ = 0;
  SndfileInfo info_{};
  SndfileFunctions::File* file_ = nullptr;
};

// Of a codec that the container's own words do not name: SF_FORMAT_SUBMASK.
std::string codec_of_format(int format) {
  struct Name {
    int format;
    const char* codec;
  };
  constexpr Name kNames[] = {{0x01, "pcm_s8"},    {0x02, "pcm_s16"},   {0x03, "pcm_s24"},
                             {0x04, "pcm_s32"},   {0x05, "pcm_u8"},    {0x06, "pcm_f32"},
                             {0x07, "pcm_f64"},   {0x10, "pcm_mulaw"}, {0x11, "pcm_alaw"},
                             {0x12, "adpcm_ima"}, {0x13, "adpcm_ms"},  {0x20, "gsm"},
                             {0x21, "adpcm_vox"}};
  for (const Name& name : kNames) {
    if (name.format == (format & 0xFFFF)) return name.codec;
  }
  return "";
}

// As FFmpeg's decoder gives them, which MonoLoader has.
void to_16_bits(float* samples, std::size_t count) {
  constexpr float kScale = 32768.0F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: what is added to it becomes whole
  for (std::size_t i = 0; i < count; ++i) {
    const float whole = (samples[i] * kScale + kRound) - kRound;
    samples[i] = std::min(std::max(whole, -kScale), kScale - 1) / kScale;
  }
}

bool seeks_exactly(const std::string& codec) {
  return codec.rfind("pcm_", 0) == 0 || codec == "flac" || codec == "alac";
}

class SndfileSource : public Source {
 public:
  SndfileSource(const std::string& path, const Container& container)
      : functions_(sndfile_functions()) {
    facts_.container = container.container;
    facts_.codec = container.codec;
    facts_.decoder = sndfile_version();
    mpeg_ = container.container == "mpeg";
    auto file =
        std::make_shared<FileBytes>(path, kWindow, std::numeric_limits<std::int64_t>::max());
    if (mpeg_) {
      open_mpeg(path, std::move(file));
    } else if (container.container == "ogg" && (container.codec == "opus" || container.chained)) {
      open_ogg(std::move(file), container);
    } else {
      const std::int64_t begin = end_of_leading_tags(*file);
      const std::int64_t size = file->size();
      parts_.push_back({std::make_unique<FilePart>(std::move(file), begin, size)});
      open(0);
      const std::int64_t frames = stream_->info().frames;
      if (frames > 0 && frames < std::numeric_limits<std::int64_t>::max() / 2) {
        facts_.promised = frames;
      }
    }
    facts_.rate = stream_->info().rate;
    facts_.channels = stream_->info().channels;
    const std::string taken = codec_of_format(stream_->info().format);
    if (facts_.codec.empty()) facts_.codec = taken;
    refuse_another_codec(taken);
    if (!mpeg_) seeks_ = seeks_exactly(facts_.codec);
  }

  const SourceFacts& facts() const override { return facts_; }
  const std::string& damage() const override { return damage_; }

  Block next() override {
    int failures = 0;
    while (part_ < parts_.size()) {
      const std::size_t got = stream_->read(samples_.data(), kFrames);
      if (got > 0) return block(got);
      if (stream_->failed() && ++failures < kMostFailures) {
        note(stream_->reason());
        continue;
      }
      failures = 0;
      if (!open_next()) break;
    }
    return {};
  }

  bool seek(std::int64_t sample) override {
    if (sample < 0 || (sample > 0 && (parts_.size() > 1 || !seeks_))) {
      return false;
    }
    if (part_ == 0 && stream_ != nullptr && go_to(sample, warm_up_)) {
      position_ = sample;
      return true;
    }
    if (sample == 0) {
      open(0);
      return true;
    }
    if (stream_ != nullptr && !go_to(position_, warm_up_)) note("it cannot be searched");
    return false;
  }

  // Samples that are floats may be no numbers, which has to be seen.
  bool can_skip(Skipping allowed) const override {
    if (parts_.size() > 1 || !seeks_) return false;
    if (mpeg_) return allowed == Skipping::one_step;
    return facts_.codec.rfind("pcm_", 0) == 0 && facts_.codec.rfind("pcm_f", 0) != 0;
  }

  std::int64_t skip(std::int64_t samples, Skipping allowed) override {
    const std::int64_t there = position_ + samples;
    if (!can_skip(allowed) || samples < shortest_skip_ || there > facts_.promised) return 0;
    if (!go_to(there, short_warm_up_)) {
      if (!go_to(position_, warm_up_)) note("it cannot be searched");
      return 0;
    }
    position_ = there;
    return samples;
  }

 private:
  // Floats of an extensible W64 it takes for integers.
  void refuse_another_codec(const std::string& taken) const {
    const bool plain = taken.rfind("pcm_", 0) == 0 && facts_.codec.rfind("pcm_", 0) == 0;
    if (plain && facts_.codec.rfind(taken, 0) != 0) {
      throw AudioError(message("libsndfile takes its ", facts_.codec, " for ", taken));
    }
  }

  // Some samples earlier, and these are decoded: the first ones after a jump miss what was before.
  bool go_to(std::int64_t sample, std::int64_t warm_up) {
    const std::int64_t from = std::max<std::int64_t>(sample - warm_up, 0);
    if (!stream_->seek(from)) return false;
    for (std::int64_t left = sample - from; left > 0;) {
      const std::size_t got = stream_->read(samples_.data(), std::min(left, kFrames));
      if (got == 0) break;
      left -= static_cast<std::int64_t>(got);
    }
    return true;
  }

  void open_mpeg(const std::string& path, std::shared_ptr<FileBytes> file) {
    const MpegFrames frames = walk_mpeg_frames(path);
    const std::string obstacle = mpg123_obstacle(frames);
    if (!obstacle.empty()) {
      throw AudioError(message("libsndfile is not asked for this MPEG audio: ", obstacle));
    }
    parts_.push_back({mpeg_stream(std::move(file), frames)});
    open(0);
    // Where no frame says how many there are mpg123 estimates, and stops there.
    const std::int64_t there = frames.samples_there();
    if (stream_->info().frames < there || stream_->info().rate != frames.rate ||
        stream_->info().channels != frames.channels) {
      throw AudioError("libsndfile would not read all of this MPEG audio");
    }
    facts_.promised = frames.promised_samples();
    warm_up_ = std::int64_t{kWarmUp} * frames.samples_per_frame;
    short_warm_up_ = std::int64_t{kShortWarmUp} * frames.samples_per_frame;
    shortest_skip_ = std::int64_t{kShortestSkip} * frames.samples_per_frame;
    // Of low bit rates mpg123 does not go back far enough, and complains on stderr.
    seeks_ = frames.layer != 3 || (frames.version == 1 && frames.reach <= kLongestReach);
    if (frames.missing > 0) note(message("the last frame lacks ", frames.missing, " bytes"));
  }

  void open_ogg(std::shared_ptr<FileBytes> file, const Container& container) {
    const std::int64_t begin = end_of_leading_tags(*file);
    OggParts found = split_ogg(std::move(file), begin);
    if (found.parts.empty()) throw AudioError("no sound is in it");
    parts_ = std::move(found.parts);
    open(0);
    if (!found.damage.empty()) note(found.damage);
    std::int64_t all = 0;
    for (const OggPart& part : parts_) {
      all = part.samples < 0 || all < 0 ? -1 : all + part.samples;
    }
    // What is there is no promise where it breaks off.
    if (container.codec == "opus") facts_.promised = container.cut ? -1 : all;
  }

  void open(std::size_t part) {
    stream_.reset();
    stream_ = std::make_unique<OpenStream>(functions_, *parts_[part].bytes);
    part_ = part;
    position_ = 0;
    samples_.resize(static_cast<std::size_t>(kFrames * stream_->info().channels));
  }

  // The next part that can be opened.
  bool open_next() {
    while (++part_ < parts_.size()) {
      try {
        open(part_);
        return true;
      } catch (const AudioError& error) {
        note(error.what());
      }
    }
    return false;
  }

  Block block(std::size_t count) {
    const int channels = stream_->info().channels;
    if (mpeg_) to_16_bits(samples_.data(), count * static_cast<std::size_t>(channels));
    mix_interleaved(samples_.data(), count, channels, samples_.data());
    position_ += static_cast<std::int64_t>(count);
    return {samples_.data(), count, stream_->info().rate};
  }

  void note(const std::string& what) {
    if (damage_.empty()) damage_ = what;
  }

  const SndfileFunctions& functions_;
  SourceFacts facts_;
  std::string damage_;
  bool mpeg_ = false;
  bool seeks_ = false;        // exactly
  std::int64_t warm_up_ = 0;  // samples
  std::int64_t short_warm_up_ = 0;
  std::int64_t shortest_skip_ = 0;
  std::vector<OggPart> parts_;
  std::size_t part_ = 0;
  std::int64_t position_ = 0;  // in this part
  std::unique_ptr<OpenStream> stream_;
  std::vector<float> samples_;
};

}  // namespace

std::unique_ptr<Source> open_sndfile(const std::string& path, const Container& container) {
  return std::make_unique<SndfileSource>(path, container);
}

}  // namespace maest
