// A model opened once and shared: one segment of mel frames in, the outputs asked for out.
// stream.h drives it, for whole signals and for pieces alike.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model_info.h"
#include "ort_session.h"
#include "patchout.h"
#include "segmenter.h"

namespace maest {

enum class OutputKind {
  activations,  // [classes], 0..1
  logits,       // [classes]
  embeddings,   // [blocks * tokens asked * dim], block after block
  tokens,       // [2 + kept patches, dim] of one block
};

// What an embedding is stacked from: the class token, the distillation token, and the average of
// the patch tokens (the paper's section 3.3).
enum class Pooling { cls, dist, avg };

// What users call them, in the order of `Pooling`.
inline constexpr const char* kPoolingNames[] = {"cls", "dist", "avg"};

// Reads one of kPoolingNames. Throws `InvalidArgument`.
Pooling parse_pooling(const std::string& text);

struct Request {
  std::vector<OutputKind> outputs = {OutputKind::activations};
  int block = 7;            // 1-based
  std::vector<int> blocks;  // several instead of `block`, in one pass: embeddings stack them so
  std::vector<Pooling> pooling = {Pooling::cls, Pooling::dist, Pooling::avg};
  Patchout patchout;
  double hop_seconds = 0;  // between segment starts; 0 is the model's own
  Tail tail = Tail::repeat;
  // Whether a tail is a segment also when it holds no patch that is new, as Essentia has it.
  bool any_tail = false;
  int batch_size = 0;  // segments computed at once; 0 is one per thread
};

// Throws `InvalidArgument` for what no model could do; what one model lacks, Extractor::plan tells.
void require_possible(const Request& request);

// A request checked against a model: what it comes to.
struct Plan {
  Request request;
  int segment_frames = 0;
  int columns = 0;  // of a whole segment's grid of patches
  int hop_frames = 0;
  int depth = 0;                   // blocks to compute
  int batch_size = 0;              // segments computed at once at the most
  std::vector<std::int64_t> kept;  // row-major indices of the patches of a whole segment
  // Of each output of a whole segment. With Tail::pad the last segment can have fewer tokens.
  std::vector<std::vector<std::int64_t>> segment_shapes;
  std::vector<std::string> graph_outputs;  // those with tokens first
  std::vector<int> blocks;                 // whose tokens are wanted; none for classes only

  // The first frame of the segment number `index` (from 0), the tail's included.
  std::int64_t start_frame(std::int64_t index) const { return index * hop_frames; }
};

// One output of one or more segments.
struct Output {
  OutputKind kind = OutputKind::activations;
  std::vector<std::int64_t> segment_shape;
  std::int64_t segments = 0;
  std::vector<float> values;  // [segments, segment_shape...]

  // Appends the segments of `other`. Throws `InvalidArgument` when their shapes differ.
  void append(const Output& other);
};

// In the order of Request::outputs.
using Outputs = std::vector<Output>;

class Extractor {
 public:
  // `threads` 0 is as many as this process may use. Throws `InvalidArgument`, `ModelError`,
  // `RuntimeUnavailable`.
  explicit Extractor(const std::string& path, int threads = 0);

  const ModelInfo& info() const { return info_; }
  const std::string& path() const { return session_.path(); }
  int threads() const { return threads_; }
  std::vector<OperatorUse> operators() const { return session_.operators(); }

  // Throws `InvalidArgument` naming what this model has instead.
  Plan plan(const Request& request) const;

  // Shapes and no segments: what a plan gives when there is nothing to compute.
  Outputs empty_outputs(const Plan& plan) const;

  // Computes one segment. Safe to call from several threads. Throws `ModelError` when ONNX Runtime
  // fails or the result is not finite, `Stopped` when one of `stops` has ended it.
  Outputs compute(const Plan& plan, const Segment& segment, const Stops& stops = {}) const;

 private:
  std::vector<std::int64_t> shape(const Plan& plan, OutputKind kind) const;
  void require_finite(const Output& output) const;
  std::vector<std::int64_t> kept_of(const Plan& plan, const Segment& segment) const;
  std::size_t tensors_of_tokens(const Plan& plan) const;
  void require_promised(const Plan& plan, std::size_t patches,
                        const std::vector<Tensor>& tensors) const;
  std::vector<Tensor> run_patches(const Plan& plan, const Segment& segment,
                                  const std::vector<std::int64_t>& kept, const Stops& stops) const;
  std::vector<Tensor> run_melspectrogram(const Plan& plan, const Segment& segment,
                                         const Stops& stops) const;

  int threads_;
  Session session_;
  ModelInfo info_;
};

}  // namespace maest
