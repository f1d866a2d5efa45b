#include "stream.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "error.h"
#include "mel_config.h"

namespace maest {
namespace {

// Samples given to the front end at a time: bounds the frames held while a long signal is pushed.
constexpr std::size_t kSlice = 10 * kSampleRate;

// Segments that are gathered for each of those computed at once: threads that get done early go on.
constexpr std::int64_t kRounds = 4;

// Adds the time that it lives to a total.
class Timed {
 public:
  explicit Timed(std::atomic<std::int64_t>& total) : total_(total), start_(Clock::now()) {}
  ~Timed() {
    using std::chrono::duration_cast;
    total_ += duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count();
  }
  Timed(const Timed&) = delete;
  Timed& operator=(const Timed&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  std::atomic<std::int64_t>& total_;
  Clock::time_point start_;
};

void append(Outputs& outputs, const Outputs& more) {
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i].append(more[i]);
}

}  // namespace

Stream::Stream(std::shared_ptr<const Extractor> extractor, const Request& request)
    : extractor_(std::move(extractor)),
      plan_(extractor_->plan(request)),
      segmenter_(plan_.segment_frames, plan_.hop_frames, kMelBands) {}

std::int64_t Stream::most_gathered() const { return kRounds * plan_.batch_size; }

Spent Stream::spent() const {
  return {1e-9 * static_cast<double>(shared_->front_end_nanoseconds),
          1e-9 * static_cast<double>(shared_->model_nanoseconds)};
}

// Each segment is a run of its own: a result never depends on its neighbours (int8 ranges are taken
// over a whole run), nor on the number of threads.
void Stream::compute(const std::vector<Segment>& segments, Outputs& outputs, const Watch& watch) {
  std::vector<Outputs> computed(segments.size());
  const auto compute_one = [&](std::size_t i, const Stops& stops) {
    const Timed timed(shared_->model_nanoseconds);
    computed[i] = extractor_->compute(plan_, segments[i], stops);
  };
  compute_watched(segments.size(), static_cast<std::size_t>(plan_.batch_size), compute_one,
                  shared_->stop, watch);
  for (const Outputs& segment : computed) append(outputs, segment);
  segments_ += static_cast<std::int64_t>(segments.size());
}

void Stream::compute_ready(Outputs& outputs, std::int64_t at_least, const Watch& watch) {
  while (segmenter_.ready() >= std::max<std::int64_t>(at_least, 1)) {
    const std::int64_t count = std::min(segmenter_.ready(), most_gathered());
    std::vector<Segment> segments;
    for (std::int64_t i = 0; i < count; ++i) segments.push_back(segmenter_.segment(i));
    compute(segments, outputs, watch);
    segmenter_.release(count);
  }
}

Outputs Stream::push(const float* samples, std::size_t count, const Watch& watch) {
  shared_->stop.require_going();
  front_end_.require_usable(samples, count);
  Outputs outputs = no_outputs();
  for (std::size_t begin = 0; begin < count; begin += kSlice) {
    {
      const Timed timed(shared_->front_end_nanoseconds);
      front_end_.push(samples + begin, std::min(kSlice, count - begin), segmenter_.frames());
    }
    compute_ready(outputs, most_gathered(), watch);
  }
  compute_ready(outputs, 1, watch);
  return outputs;
}

Outputs Stream::finish(const Watch& watch) {
  shared_->stop.require_going();
  if (front_end_.finished()) {
    throw InvalidArgument("finish() was already called; reset() starts a new signal");
  }
  Outputs outputs = no_outputs();
  front_end_.finish(segmenter_.frames());
  compute_ready(outputs, 1, watch);
  compute_tail(outputs, watch);
  if (segments_ == 0) refuse_short();
  return outputs;
}

void Stream::compute_tail(Outputs& outputs, const Watch& watch) {
  // A segment that would only say again what the one before has said is none. A signal that is
  // shorter than a segment has nothing before.
  if (segments_ > 0 && !plan_.request.any_tail && !tail_has_new_patch()) return;
  const Segment segment = segmenter_.tail(plan_.request.tail);
  if (extractor_->info().grid.columns_within(segment.frames) == 0) return;
  compute({segment}, outputs, watch);
}

bool Stream::tail_has_new_patch() const {
  const PatchGrid& grid = extractor_->info().grid;
  const auto frames = std::min<std::int64_t>(segmenter_.left(), plan_.segment_frames);
  const int columns = grid.columns_within(static_cast<int>(std::max<std::int64_t>(frames, 0)));
  // Frames from the tail's start on.
  const int known = grid.frames_of(grid.columns) - plan_.hop_frames;
  return columns > 0 && grid.frames_of(columns) > known;
}

void Stream::refuse_short() const {
  const ModelInfo& info = extractor_->info();
  const std::int64_t samples = front_end_.samples_pushed();
  if (samples == 0) throw InvalidArgument("the audio is empty (0 samples)");
  const bool padded = plan_.request.tail == Tail::pad;
  const int wanted_frames = padded ? info.grid.patch_size : info.segment_frames;
  throw InvalidArgument(message(
      "the audio is too short: ", samples, " samples (", static_cast<double>(samples) / kSampleRate,
      " s, ", segmenter_.frames_seen(), " frames) do not fill one ", padded ? "patch" : "segment",
      " of ", wanted_frames, " frames (",
      static_cast<double>(wanted_frames) * kHopSize / kSampleRate, " s); ",
      padded ? "tail 'repeat' takes any length" : "tail 'repeat' or 'pad' takes shorter audio"));
}

void Stream::stop() { shared_->stop.stop(); }

void Stream::reset(std::int64_t lead_frames) {
  shared_->stop.reset();
  segmenter_.reset(lead_frames);
  front_end_.reset();
  segments_ = 0;
}

Outputs extract(std::shared_ptr<const Extractor> extractor, const Request& request,
                const float* samples, std::size_t count, const Watch& watch) {
  Stream stream(std::move(extractor), request);
  Outputs outputs = stream.push(samples, count, watch);
  append(outputs, stream.finish(watch));
  return outputs;
}

}  // namespace maest
