#include "sndfile_source.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "error.h"
#include "file_tags.h"
#include "mono_mix.h"
#include "mpeg_source.h"
#include "ogg_parts.h"
#include "opus_packet.h"
#include "sndfile_library.h"
#include "sndfile_stream.h"

namespace maest {
namespace {

constexpr std::size_t kWindow = 1U << 20;
constexpr std::int64_t kFrames = 4096;  // read at once
constexpr int kMostFailures = 10000;    // one after the other; each is a packet

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

bool seeks_exactly(const std::string& codec) {
  return codec.rfind("pcm_", 0) == 0 || codec == "flac" || codec == "alac";
}

class SndfileSource : public Source {
 public:
  SndfileSource(const std::string& path, const Container& container) {
    facts_.container = container.container;
    facts_.codec = container.codec;
    facts_.decoder = sndfile_version();
    auto file =
        std::make_shared<FileBytes>(path, kWindow, std::numeric_limits<std::int64_t>::max());
    if (container.container == "ogg" && (container.codec == "opus" || container.chained)) {
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
    seeks_ = seeks_exactly(facts_.codec);
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
    if (part_ == 0 && stream_ != nullptr && stream_->seek(sample)) {
      position_ = sample;
      return true;
    }
    if (sample == 0) {
      open(0);
      return true;
    }
    if (stream_ != nullptr && !stream_->seek(position_)) note("it cannot be searched");
    return false;
  }

  // Samples that are floats may be no numbers, which has to be seen.
  bool can_skip(Skipping) const override {
    if (parts_.size() > 1 || !seeks_) return false;
    return facts_.codec.rfind("pcm_", 0) == 0 && facts_.codec.rfind("pcm_f", 0) != 0;
  }

  std::int64_t skip(std::int64_t samples, Skipping allowed) override {
    const std::int64_t there = position_ + samples;
    if (!can_skip(allowed) || there > facts_.promised) return 0;
    if (!stream_->seek(there)) {
      if (!stream_->seek(position_)) note("it cannot be searched");
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
    stream_ = std::make_unique<SndfileStream>(*parts_[part].bytes);
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
    mix_interleaved(samples_.data(), count, channels, samples_.data());
    position_ += static_cast<std::int64_t>(count);
    return {samples_.data(), count, stream_->info().rate};
  }

  void note(const std::string& what) {
    if (damage_.empty()) damage_ = what;
  }

  SourceFacts facts_;
  std::string damage_;
  bool seeks_ = false;  // exactly
  std::vector<OggPart> parts_;
  std::size_t part_ = 0;
  std::int64_t position_ = 0;  // in this part
  std::unique_ptr<SndfileStream> stream_;
  std::vector<float> samples_;
};

}  // namespace

std::unique_ptr<Source> open_sndfile(const std::string& path, const Container& container) {
  if (container.container == "mpeg") return open_mpeg(path, container);
  return std::make_unique<SndfileSource>(path, container);
}

}  // namespace maest
