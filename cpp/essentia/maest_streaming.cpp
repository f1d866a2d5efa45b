#include "maest_streaming.h"

#include <algorithm>
#include <utility>

#include "mel_config.h"
#include "python_host.h"

namespace maest::plugin {

using essentia::streaming::AlgorithmStatus;

namespace {

// Samples that a source is asked to hold ready. Every loader's buffer does; a longer piece would
// have some of them enlarged, which Essentia logs. What is there beyond it is taken as well.
constexpr int kChunk = kHopSize;

// Tensors that may wait for a reader: large ones, so few.
constexpr int kBufferedTensors = 4;

// The whole segments among the first `samples` of a signal.
std::int64_t whole_segments(const Plan& plan, std::int64_t samples) {
  const std::int64_t frames = completed_frame_count(samples) - plan.segment_frames;
  return frames < 0 ? 0 : frames / plan.hop_frames + 1;
}

// The segments from `begin` to, not including, `end`.
Output slice(const Output& output, std::int64_t begin, std::int64_t end) {
  const auto stride = static_cast<std::int64_t>(output.values.size()) / output.segments;
  Output part{output.kind, output.segment_shape, end - begin, {}};
  part.values.assign(output.values.begin() + begin * stride, output.values.begin() + end * stride);
  return part;
}

}  // namespace

StreamingMaest::StreamingMaest() {
  declareInput(signal_, kChunk, "signal", "the input audio signal sampled at 16 kHz");
  declareOutput(predictions_, 1, "predictions",
                "the output of the model named by `output` [patches, 1, rows, values]");
  essentia::streaming::BufferInfo buffer;
  buffer.size = kBufferedTensors;
  buffer.maxContiguousElements = 0;
  predictions_.setBufferInfo(buffer);
}

void StreamingMaest::apply(std::shared_ptr<const MaestSetup> setup) {
  setup_ = std::move(setup);
  start_signal();
  if (setup_) setup_->warn_if_untrained(_name);
}

void StreamingMaest::start_signal() {
  stream_.reset();
  collected_.reset();
  ready_.clear();
  samples_ = 0;
  ended_ = false;
}

Stream& StreamingMaest::stream() {
  if (!stream_) stream_.emplace(setup_->start());
  return *stream_;
}

void StreamingMaest::reset() {
  Algorithm::reset();
  start_signal();
}

AlgorithmStatus StreamingMaest::process() {
  if (!setup_) refuse_unconfigured();
  return guarded(_name, [&] {
    if (!ready_.empty()) {
      if (!predictions_.acquire(1)) return essentia::streaming::NO_OUTPUT;
      predictions_.firstToken() = std::move(ready_.front());
      ready_.pop_front();
      predictions_.release(1);
      return essentia::streaming::OK;
    }
    // The buffer may hold more than it lends at once.
    const int lent = signal_.buffer().bufferInfo().maxContiguousElements + 1;
    const int count = std::min(signal_.available(), lent);
    if (count > 0) {
      take_samples(count);
      return essentia::streaming::OK;
    }
    if (shouldStop() && !ended_) {
      end_signal();
      return essentia::streaming::OK;
    }
    return essentia::streaming::NO_INPUT;
  });
}

void StreamingMaest::take_samples(int count) {
  signal_.acquire(count);
  const std::int64_t before = whole_segments(stream().plan(), samples_);
  samples_ += count;
  // Not for every piece: to get its turn back may take a thread longer than a piece does.
  std::optional<WatchedPause> pause;
  if (whole_segments(stream().plan(), samples_) > before) pause.emplace();
  Outputs outputs = stream().push(signal_.tokens().data(), static_cast<std::size_t>(count),
                                  pause ? pause->watch() : Watch{});
  pause.reset();
  signal_.release(count);
  collect(std::move(outputs));
}

void StreamingMaest::end_signal() {
  ended_ = true;
  std::optional<WatchedPause> pause(std::in_place);
  Outputs outputs = stream().finish(pause->watch());
  pause.reset();
  collect(std::move(outputs));
  stream_.reset();
}

void StreamingMaest::collect(Outputs outputs) {
  Output& results = outputs.front();
  if (results.segments > 0) {
    if (!collected_) {
      collected_ = std::move(results);
    } else {
      collected_->append(results);
    }
  }
  if (!collected_) return;
  const std::int64_t wanted = setup_->segments_per_tensor;
  std::int64_t taken = 0;
  while (wanted > 0 && collected_->segments - taken >= wanted) {
    ready_.push_back(setup_->to_tensor(slice(*collected_, taken, taken + wanted)));
    taken += wanted;
  }
  if (ended_ && taken < collected_->segments) {
    ready_.push_back(setup_->to_tensor(slice(*collected_, taken, collected_->segments)));
    taken = collected_->segments;
  }
  if (taken == collected_->segments) {
    collected_.reset();
  } else if (taken > 0) {
    collected_ = slice(*collected_, taken, collected_->segments);
  }
}

}  // namespace maest::plugin
