#include "extractor.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "error.h"
#include "mel_config.h"
#include "mel_frontend.h"
#include "patch_gather.h"
#include "threads.h"

namespace maest {
namespace {

constexpr double kFrameSeconds = frames_to_seconds(1);
constexpr double kLongestHopSeconds = 86400;

bool is_block_output(OutputKind kind) {
  return kind == OutputKind::embeddings || kind == OutputKind::tokens;
}

// Those that a model has, for messages.
std::string class_outputs(const ModelInfo& info) {
  if (info.has_activations && info.has_logits) return "activations and logits";
  return info.has_activations ? "activations" : "logits";
}

// Where the tokens of a block of one segment are: [count, dim].
struct Tokens {
  const float* data;
  std::int64_t count;
  std::int64_t dim;
};

// Appends [tokens asked * dim].
void pool(const Tokens& tokens, const std::vector<Pooling>& pooling, std::vector<float>& values) {
  for (const Pooling kind : pooling) {
    if (kind != Pooling::avg) {
      const float* row = tokens.data + (kind == Pooling::cls ? 0 : tokens.dim);
      values.insert(values.end(), row, row + tokens.dim);
      continue;
    }
    std::vector<double> sum(static_cast<std::size_t>(tokens.dim), 0.0);
    for (std::int64_t token = 2; token < tokens.count; ++token) {
      const float* row = tokens.data + token * tokens.dim;
      for (std::int64_t i = 0; i < tokens.dim; ++i) sum[static_cast<std::size_t>(i)] += row[i];
    }
    for (const double value : sum) {
      values.push_back(static_cast<float>(value / static_cast<double>(tokens.count - 2)));
    }
  }
}

// A graph of ours gives the tokens of all blocks asked in one tensor, in the order of the blocks;
// an official one gives a tensor for each block.
std::vector<Tokens> tokens_of(const Plan& plan, const std::vector<Tensor>& tensors, bool together) {
  std::vector<int> ascending = plan.blocks;
  std::sort(ascending.begin(), ascending.end());
  std::vector<Tokens> found;
  for (std::size_t i = 0; i < plan.blocks.size(); ++i) {
    const Tensor& tensor = tensors[together ? 0 : i];
    const auto place = std::find(ascending.begin(), ascending.end(), plan.blocks[i]);
    const std::int64_t before = together ? place - ascending.begin() : 0;
    const std::int64_t count =
        tensor.shape()[1] / (together ? static_cast<std::int64_t>(ascending.size()) : 1);
    const std::int64_t dim = tensor.shape()[2];
    found.push_back({tensor.data() + before * count * dim, count, dim});
  }
  return found;
}

// A tensor of one segment without its batch dimension.
Output copy(OutputKind kind, const Tensor& tensor) {
  Output output{kind, {tensor.shape().begin() + 1, tensor.shape().end()}, 1, {}};
  std::size_t size = 1;
  for (const std::int64_t length : output.segment_shape) size *= static_cast<std::size_t>(length);
  output.values.assign(tensor.data(), tensor.data() + size);
  return output;
}

}  // namespace

Pooling parse_pooling(const std::string& text) {
  for (std::size_t i = 0; i < std::size(kPoolingNames); ++i) {
    if (text == kPoolingNames[i]) return static_cast<Pooling>(i);
  }
  throw InvalidArgument(
      message("token '", text, "' does not exist; wanted is 'cls', 'dist' or 'avg'"));
}

void require_possible(const Request& request) {
  if (request.outputs.empty()) {
    throw InvalidArgument("no output was asked for; at least one is wanted");
  }
  if (request.block < 1) {
    throw InvalidArgument(
        message("block is ", request.block, "; blocks are counted from 1, wanted is 1 or more"));
  }
  for (std::size_t i = 0; i < request.blocks.size(); ++i) {
    const auto begin = request.blocks.begin();
    if (request.blocks[i] < 1) {
      throw InvalidArgument(message("block is ", request.blocks[i],
                                    "; blocks are counted from 1, wanted is 1 or more"));
    }
    if (std::find(begin, begin + static_cast<std::ptrdiff_t>(i), request.blocks[i]) !=
        begin + static_cast<std::ptrdiff_t>(i)) {
      throw InvalidArgument(
          message("block ", request.blocks[i], " is asked for twice; wanted is each block once"));
    }
  }
  const bool tokens = std::find(request.outputs.begin(), request.outputs.end(),
                                OutputKind::tokens) != request.outputs.end();
  if (tokens && request.blocks.size() > 1) {
    throw InvalidArgument(message("tokens of ", request.blocks.size(),
                                  " blocks are asked for; wanted is one block (embeddings can be "
                                  "of several)"));
  }
  if (request.pooling.empty()) {
    throw InvalidArgument("no token was asked for; wanted are some of 'cls', 'dist', 'avg'");
  }
  const double hop = request.hop_seconds;
  if (hop != 0 && (!(hop >= kFrameSeconds / 2) || hop > kLongestHopSeconds)) {
    throw InvalidArgument(message("hop is ", hop, " seconds; wanted is from one frame (",
                                  kFrameSeconds, ") to a day (", kLongestHopSeconds, ")"));
  }
  if (request.batch_size < 0 || request.batch_size > kMostThreads) {
    throw InvalidArgument(message("batch_size is ", request.batch_size, "; wanted is 1 to ",
                                  kMostThreads, ", or none for one per thread"));
  }
}

void Output::append(const Output& other) {
  if (segments == 0) segment_shape = other.segment_shape;
  if (segment_shape != other.segment_shape) {
    throw InvalidArgument(message("the last segment has ", other.segment_shape[0],
                                  " tokens and the others have ", segment_shape[0],
                                  ": tokens of segments of different lengths do not stack; use "
                                  "tail 'repeat' or 'discard'"));
  }
  values.insert(values.end(), other.values.begin(), other.values.end());
  segments += other.segments;
}

Extractor::Extractor(const std::string& path, int threads)
    : threads_(checked_threads(threads)),
      session_(path, threads_),
      info_(read_model_info(session_)) {}

Plan Extractor::plan(const Request& request) const {
  Plan plan;
  plan.request = request;
  require_possible(request);
  const bool wants_block =
      std::any_of(request.outputs.begin(), request.outputs.end(), is_block_output);
  if (wants_block) {
    plan.blocks = request.blocks.empty() ? std::vector<int>{request.block} : request.blocks;
    if (info_.depth == 0) {
      throw InvalidArgument(
          message("model '", info_.name, "' has ", class_outputs(info_), " only; no blocks"));
    }
  }
  for (const int block : plan.blocks) {
    if (block > info_.depth) {
      throw InvalidArgument(message("block ", block, " does not exist; model '", info_.name,
                                    "' has blocks 1 to ", info_.depth));
    }
    plan.depth = std::max(plan.depth, block);
    if (plan.graph_outputs.empty() || info_.kind == GraphKind::melspectrogram) {
      plan.graph_outputs.push_back(info_.tokens_output(block));
    }
  }
  for (const OutputKind kind : request.outputs) {
    if (is_block_output(kind)) continue;
    const bool logits = kind == OutputKind::logits;
    if (logits ? !info_.has_logits : !info_.has_activations) {
      throw InvalidArgument(message("model '", info_.name, "' has no output '",
                                    logits ? "logits" : "activations", "'; it has ",
                                    class_outputs(info_)));
    }
    plan.depth = std::max(plan.depth, info_.depth);
    plan.graph_outputs.emplace_back(logits ? "logits" : "activations");
  }
  plan.batch_size = request.batch_size > 0 ? request.batch_size : threads_;

  plan.segment_frames = info_.segment_frames;
  plan.columns = info_.grid.columns;
  plan.hop_frames = info_.segment_hop_frames;
  if (request.hop_seconds != 0) {
    plan.hop_frames = static_cast<int>(std::lround(request.hop_seconds / kFrameSeconds));
  }

  plan.kept = kept_patches(info_.grid, request.patchout, info_.grid.columns);
  if (info_.kind == GraphKind::melspectrogram) {
    const auto all = static_cast<std::size_t>(info_.grid.rows) * info_.grid.columns;
    if (plan.kept.size() != all || request.tail == Tail::pad) {
      throw InvalidArgument(message("'", session_.path(),
                                    "' is one of Essentia's official ONNX files, which take whole "
                                    "segments only: no patchout and no tail 'pad'; `maest convert` "
                                    "makes a model of it that takes both"));
    }
    plan.depth = info_.depth;  // these files always compute every block
  }
  for (const OutputKind kind : request.outputs) plan.segment_shapes.push_back(shape(plan, kind));
  return plan;
}

std::vector<std::int64_t> Extractor::shape(const Plan& plan, OutputKind kind) const {
  if (kind == OutputKind::embeddings) {
    return {static_cast<std::int64_t>(plan.blocks.size() * plan.request.pooling.size()) *
            info_.dim};
  }
  if (kind == OutputKind::tokens) {
    return {static_cast<std::int64_t>(plan.kept.size()) + 2, info_.dim};
  }
  return {info_.classes};
}

Outputs Extractor::empty_outputs(const Plan& plan) const {
  Outputs outputs;
  for (std::size_t i = 0; i < plan.segment_shapes.size(); ++i) {
    outputs.push_back({plan.request.outputs[i], plan.segment_shapes[i], 0, {}});
  }
  return outputs;
}

void Extractor::require_finite(const Output& output) const {
  for (const float value : output.values) {
    if (!std::isfinite(value)) {
      throw ModelError(message("model file '", session_.path(), "' computed the value ", value,
                               " from finite audio: its weights are damaged"));
    }
  }
}

std::vector<std::int64_t> Extractor::kept_of(const Plan& plan, const Segment& segment) const {
  if (segment.frames == info_.segment_frames) return plan.kept;
  return kept_patches(info_.grid, plan.request.patchout, info_.grid.columns_within(segment.frames));
}

std::vector<Tensor> Extractor::run_patches(const Plan& plan, const Segment& segment,
                                           const std::vector<std::int64_t>& kept,
                                           const Stops& stops) const {
  const auto count = static_cast<std::int64_t>(kept.size());
  const std::int64_t depth = plan.depth;
  // One number is what the graph is made for. As many as it has blocks serve as well, each compared
  // with that of its block: ONNX Runtime does not check the shape of a scalar.
  std::vector<std::int64_t> tap(plan.blocks.size() > 1 ? info_.depth : 1, 0);
  for (const int block : plan.blocks) {
    tap[plan.blocks.size() > 1 ? static_cast<std::size_t>(block - 1) : 0] = block;
  }
  std::vector<std::int64_t> tap_shape;
  if (tap.size() > 1) tap_shape.push_back(static_cast<std::int64_t>(tap.size()));
  std::vector<float> patches;
  gather_patches(segment.data, kMelBands, info_.grid, kept,
                 {info_.normalization_mean, info_.normalization_divisor}, patches);
  return session_.run(
      {{"patches", ElementType::float32, patches.data(), {1, count, info_.grid.patch_values()}},
       {"kept", ElementType::int64, kept.data(), {count}},
       {"depth", ElementType::int64, &depth, {}},
       {"tap", ElementType::int64, tap.data(), tap_shape}},
      plan.graph_outputs, stops);
}

std::vector<Tensor> Extractor::run_melspectrogram(const Plan& plan, const Segment& segment,
                                                  const Stops& stops) const {
  std::vector<float> values;
  normalize(segment.data, static_cast<std::size_t>(segment.frames) * kMelBands,
            {info_.normalization_mean, info_.normalization_divisor}, values);
  return session_.run(
      {{"melspectrogram", ElementType::float32, values.data(), {1, segment.frames, kMelBands}}},
      plan.graph_outputs, stops);
}

std::size_t Extractor::tensors_of_tokens(const Plan& plan) const {
  return info_.kind == GraphKind::patches ? std::min<std::size_t>(plan.blocks.size(), 1)
                                          : plan.blocks.size();
}

void Extractor::require_promised(const Plan& plan, std::size_t patches,
                                 const std::vector<Tensor>& tensors) const {
  const std::size_t of_tokens = tensors_of_tokens(plan);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::vector<std::int64_t> wanted = {1, info_.classes};
    if (i < of_tokens) {
      const std::int64_t blocks = static_cast<std::int64_t>(plan.blocks.size() / of_tokens);
      wanted = {1, blocks * (2 + static_cast<std::int64_t>(patches)), info_.dim};
    }
    if (tensors[i].shape() == wanted) continue;
    throw ModelError(message("model file '", session_.path(), "' gave '", plan.graph_outputs[i],
                             "' of shape ", shape_text(tensors[i].shape()),
                             "; its metadata promise ", shape_text(wanted)));
  }
}

Outputs Extractor::compute(const Plan& plan, const Segment& segment, const Stops& stops) const {
  const std::vector<std::int64_t> kept = kept_of(plan, segment);
  const std::vector<Tensor> tensors = info_.kind == GraphKind::patches
                                          ? run_patches(plan, segment, kept, stops)
                                          : run_melspectrogram(plan, segment, stops);
  require_promised(plan, kept.size(), tensors);
  const std::vector<Tokens> tokens = tokens_of(plan, tensors, info_.kind == GraphKind::patches);
  Outputs outputs;
  std::size_t next_tensor = tensors_of_tokens(plan);
  for (const OutputKind kind : plan.request.outputs) {
    if (kind == OutputKind::embeddings) {
      Output output{kind, shape(plan, kind), 1, {}};
      for (const Tokens& block : tokens) pool(block, plan.request.pooling, output.values);
      outputs.push_back(std::move(output));
    } else if (kind == OutputKind::tokens) {
      outputs.push_back(copy(kind, tensors[0]));
    } else {
      outputs.push_back(copy(kind, tensors[next_tensor++]));
    }
    require_finite(outputs.back());
  }
  return outputs;
}

}  // namespace maest
