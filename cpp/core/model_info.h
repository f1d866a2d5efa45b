// What a model file says of itself, checked against the graph it carries. Nothing is ever read off
// the file's name.
#pragma once

#include <string>
#include <vector>

#include "ort_session.h"
#include "patch_grid.h"

namespace maest {

// The version of our model files that this engine reads.
inline constexpr char kModelFormat[] = "1";

// How a graph wants its input.
enum class GraphKind {
  patches,         // ours: kept patches, their indices, which blocks to compute and to give out
  melspectrogram,  // Essentia's official ONNX files: a whole segment, always every block
};

// The frames between the starts of two segments that lie end to end: the longest whole number of
// seconds that a segment of `segment_frames` holds (1875 frames for 1876), or all of one that is
// shorter than a second.
int own_hop_frames(int segment_frames);

struct ModelInfo {
  GraphKind kind = GraphKind::patches;
  std::string name;
  bool trained = true;
  std::string precision;
  float normalization_mean = 0;
  float normalization_divisor = 1;  // input = (value - mean) / divisor
  int segment_frames = 0;
  int segment_hop_frames = 0;
  PatchGrid grid;
  int depth = 0;
  int dim = 0;
  int classes = 0;
  std::vector<std::string> labels;  // one per class; empty when the file has none
  bool has_logits = false;
  bool has_activations = false;
  std::string license;
  std::string source;
  std::string source_sha256;
  std::string essentia_metadata;  // JSON text; empty when the file has none

  // Name of the graph's output that carries the tokens of `block` (1-based).
  std::string tokens_output(int block) const;
};

// Throws `ModelError` when the file is foreign, of another format version, or when its metadata and
// graph contradict each other.
ModelInfo read_model_info(const Session& session);

}  // namespace maest
