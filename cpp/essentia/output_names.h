// The names by which scripts ask for an output: ours, and those of the nodes in Essentia's files.
#pragma once

#include <string>

#include "extractor.h"

namespace maest::plugin {

struct NamedOutput {
  OutputKind kind;
  int block;  // 1-based; 0 when the name does not say one
};

// Reads, for a model of `depth` blocks (for one that gives no block out, the 12 of the published
// models):
//   activations, logits, embeddings
//   PartitionedCall/Identity     logits; _1 to _depth: tokens of a block; _(depth + 1): activations
//   Identity                     the same, as TensorflowPredictMAEST's default spells it
//   StatefulPartitionedCall:0    activations; :1 to :depth: tokens; :(depth + 1): logits
//   layer_0_tokens               tokens of block 1, and so on
// A TensorFlow output index, ":0", may follow the second and third.
// Throws `InvalidArgument` naming what the model has. A name that is read may still be of something
// that the model lacks, which Extractor::plan refuses.
NamedOutput parse_output(const std::string& name, const ModelInfo& info);

}  // namespace maest::plugin
