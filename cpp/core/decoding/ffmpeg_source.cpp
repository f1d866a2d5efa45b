#include "ffmpeg_source.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "error.h"
#include "ffmpeg_bytes.h"
#include "ffmpeg_input.h"
#include "ffmpeg_library.h"
#include "flac_frame.h"
#include "flac_frames.h"

namespace maest {
namespace {

// Samples of a block: enough that what is done once for each costs nothing, few enough for a cache.
constexpr std::size_t kBlock = 8192;

// Seconds.
constexpr int kBefore = 10;

// Containers whose stream tells its length; elsewhere FFmpeg guesses it from the bit rate.
bool tells_length(const Container& container) {
  static constexpr const char* kNames[] = {"flac", "mp4", "ape",     "wavpack",
                                           "tta",  "tak", "musepack"};
  return std::find(std::begin(kNames), std::end(kNames), container.container) != std::end(kNames);
}

class FfmpegSource : public Source {
 public:
  FfmpegSource(const std::string& path, const Container& container, const std::string& demuxer,
               const std::string& decoder)
      : library_(ffmpeg_library()),
        frames_(demuxer == "flac" ? std::make_unique<FlacFrames>(path) : nullptr),
        bytes_(frames_ ? FfmpegBytes(library_, frames_->head().data(), frames_->head().size())
                       : FfmpegBytes(library_, path)),
        input_(library_, bytes_, demuxer, decoder, frames_.get()),
        block_(kBlock) {
    facts_.container = container.container;
    facts_.codec = input_.codec();
    facts_.decoder = library_.version;
    flac_ = facts_.codec == "flac";
    pcm_bytes_ = facts_.codec.rfind("pcm_", 0) == 0
                     ? library_.av_get_bits_per_sample(input_.codec_id()) / 8
                     : 0;
    timed_ = pcm_bytes_ > 0 || facts_.codec == "alac";
    seekable_ = frames_ != nullptr || timed_;
    if (!next_frame()) throw AudioError(nothing_in());
    facts_.rate = frame_.rate;
    facts_.channels = frame_.channels;
    facts_.promised = promised(container);
    facts_.is_exact = frames_ != nullptr;
    if (timed_) seekable_ = counts_samples();
  }

  const SourceFacts& facts() const override { return facts_; }

  Block next() override {
    Block block;
    block.samples = block_.data();
    while (block.count < kBlock) {
      if (left() == 0 && !next_frame()) break;
      if (block.count > 0 && frame_.rate != block.rate) break;
      block.rate = frame_.rate;
      const std::size_t count = std::min(left(), kBlock - block.count);
      mix_samples(frame_.format, frame_.planes, frame_.channels, begin_, count,
                  block_.data() + block.count);
      begin_ += count;
      block.count += count;
    }
    position_ += static_cast<std::int64_t>(block.count);
    return block;
  }

  bool seek(std::int64_t sample) override {
    if (!seekable_ || sample < 0) return false;
    if (frames_) return walk_to(sample);
    // FFmpeg does not find what is close to the end: then from a little before.
    const std::int64_t last = facts_.promised >= 0 ? facts_.promised : sample;
    const std::int64_t from = std::min(sample, last);
    if (go_to(sample, from) || go_to(sample, from - kBefore * facts_.rate) || go_to(sample, 0)) {
      return true;
    }
    if (!go_to(position_, 0)) lost_ = true;
    return false;
  }

  // Samples that are floats may be no numbers, which has to be seen.
  bool can_skip(Skipping) const override {
    return flac_ || (pcm_bytes_ > 0 && facts_.codec.rfind("pcm_f", 0) != 0);
  }

  std::int64_t skip(std::int64_t samples, Skipping allowed) override {
    if (!can_skip(allowed)) return 0;
    const std::int64_t there = leave_out(samples);
    position_ += there;
    return there;
  }

  const std::string& damage() const override {
    std::string words;
    if (input_.faults() > 0) {
      words = message(input_.faults(), input_.faults() == 1 ? " packet" : " packets",
                      " could not be decoded: ", input_.first_fault());
    }
    const auto add = [&words](const std::string& more) {
      if (!more.empty()) words += (words.empty() ? "" : "; ") + more;
    };
    if (frames_) add(frames_->damage());
    add(input_.stop());
    if (lost_) add("its place was lost");
    damage_ = std::move(words);
    return damage_;
  }

 private:
  std::size_t left() const { return frame_.count - begin_; }

  // The next frame with samples, whole packets of `leave_out_` not decoded; false: the end.
  bool next_frame() {
    frame_.count = begin_ = 0;
    while (!input_.ended() && !lost_) {
      if (decode()) return true;
      read_packet();
    }
    frame_.count = 0;
    return false;
  }

  // The next frame of what was read.
  bool decode() {
    if (!input_.decode(frame_)) return false;
    if (header_ && static_cast<std::int64_t>(frame_.count) == header_->samples) {
      if (!good_) good_ = header_;
      good_->samples = std::max(good_->samples, header_->samples);
    }
    return true;
  }

  bool read_packet() {
    if (!input_.read_packet()) return false;
    header_ = flac_header();
    if (first_packet_) {
      first_packet_ = false;
      const std::int64_t time = input_.packet().pts;
      first_number_ = time == ffmpeg::kNoTime ? 0 : time;
    }
    return true;
  }

  // Of the packet that was read.
  std::optional<FlacFrame> flac_header() const {
    const ffmpeg::AVPacket& packet = input_.packet();
    if (!flac_ || packet.size <= 0) return std::nullopt;
    return parse_flac_frame(packet.data, static_cast<std::size_t>(packet.size));
  }

  // Samples of each channel in the packet that was read; 0: that cannot be told before it is
  // decoded, as when it is damaged, or unlike all that the decoder has taken so far: what the
  // file's own header says may be wrong, and then it takes none of them.
  std::int64_t packet_samples() const {
    const ffmpeg::AVPacket& packet = input_.packet();
    if (pcm_bytes_ > 0) return packet.size / (pcm_bytes_ * facts_.channels);
    const auto& frame = header_;
    if (!frame || !good_ || frame->rate_code != good_->rate_code ||
        frame->channels != good_->channels || frame->bits != good_->bits ||
        frame->samples > good_->samples) {
      return 0;
    }
    const bool sound =
        frames_ ? frames_->sound()
                : flac_checksum(0, packet.data, static_cast<std::size_t>(packet.size)) == 0;
    return sound ? frame->samples : 0;
  }

  // What was decoded has not the rate in which samples are counted.
  bool at_other_rate() const { return left() > 0 && frame_.rate != facts_.rate; }

  // Leaves out as many samples as there are at the file's rate, at most so many.
  std::int64_t leave_out(std::int64_t samples) {
    std::int64_t done = 0;
    while (done < samples && !at_other_rate()) {
      const auto count = std::min(static_cast<std::int64_t>(left()), samples - done);
      begin_ += static_cast<std::size_t>(count);
      done += count;
      if (done == samples) break;
      frame_.count = begin_ = 0;
      if (input_.ended() || lost_) break;
      if (decode() || !read_packet()) continue;
      const std::int64_t in_packet = packet_samples();
      if (in_packet == 0 || in_packet > samples - done) continue;
      input_.drop_packet();
      done += in_packet;
    }
    return done;
  }

  // Seeks to where `from` is, then leaves out what is before `sample`.
  bool go_to(std::int64_t sample, std::int64_t from) {
    if (from < 0 || !input_.seek(first_number_ + from)) return false;
    frame_.count = begin_ = 0;
    if (!read_packet()) return false;
    const std::int64_t time = input_.packet().pts;
    if (time == ffmpeg::kNoTime) return false;
    const std::int64_t found = time - first_number_;
    if (found < 0 || found > sample) return false;
    leave_out(sample - found);
    position_ = sample;
    return true;
  }

  // Frame by frame, of which none is decoded but those that are damaged: the same samples count as
  // in reading.
  bool walk_to(std::int64_t sample) {
    const std::int64_t before = position_;
    if (sample < position_) go_back();
    leave_out(sample - position_);
    const bool there = !at_other_rate();
    if (!there) {
      go_back();
      leave_out(before);
    }
    position_ = there ? sample : before;
    return there;
  }

  void go_back() {
    input_.rewind();
    frame_.count = begin_ = 0;
    position_ = 0;
  }

  // Whether a packet's time is its first sample's number.
  bool counts_samples() const {
    const ffmpeg::AVRational base = input_.time_base();
    return base.num == 1 && base.den == facts_.rate;
  }

  std::int64_t promised(const Container& container) const {
    if (container.promised >= 0) return container.promised;
    const ffmpeg::AVRational base = input_.time_base();
    const std::int64_t duration = input_.duration();
    if (!tells_length(container) || duration <= 0 || base.num <= 0 || base.den <= 0) return -1;
    const double seconds = static_cast<double>(duration) * base.num / base.den;
    const double samples = seconds * facts_.rate + 0.5;
    return samples < 0x1p62 ? static_cast<std::int64_t>(samples) : -1;
  }

  std::string nothing_in() const {
    const std::string& damage = this->damage();
    if (damage.empty()) return "no audio samples could be decoded";
    return message("no audio samples could be decoded: ", damage);
  }

  const FfmpegLibrary& library_;
  std::unique_ptr<FlacFrames> frames_;  // native FLAC: FFmpeg does not look for them
  FfmpegBytes bytes_;
  FfmpegInput input_;
  SourceFacts facts_;
  mutable std::string damage_;
  FfmpegFrame frame_;      // what next() takes from
  std::size_t begin_ = 0;  // what it has taken already
  std::vector<float> block_;
  std::int64_t position_ = 0;
  bool lost_ = false;  // a seek failed half way

  // How packets are counted: by sizes and times (uncompressed, and alac), or by their own headers.
  bool seekable_ = false;
  bool timed_ = false;
  bool flac_ = false;
  int pcm_bytes_ = 0;  // of one sample; 0: it is compressed
  bool first_packet_ = true;
  std::int64_t first_number_ = 0;
  std::optional<FlacFrame> header_;  // of the last packet
  // Of a packet that gave as many samples as it says; the most samples of any such.
  std::optional<FlacFrame> good_;
};

}  // namespace

std::unique_ptr<Source> open_ffmpeg(const std::string& path, const Container& container,
                                    const std::string& demuxer, const std::string& decoder) {
  return std::make_unique<FfmpegSource>(path, container, demuxer, decoder);
}

}  // namespace maest
