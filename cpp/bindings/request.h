// Keyword arguments of the Python surface -> Request.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "extractor.h"

namespace maest::bindings {

// "F3T5", or kept rows and the time stride.
using PatchoutArgument = std::variant<std::string, std::pair<std::vector<int>, int>>;

inline Request make_request(const std::vector<OutputKind>& outputs, int block,
                            const std::vector<std::string>& tokens,
                            const PatchoutArgument& patchout, double hop, const std::string& tail,
                            int batch_size) {
  Request request;
  request.outputs = outputs;
  request.block = block;
  request.pooling.clear();
  for (const std::string& token : tokens) request.pooling.push_back(parse_pooling(token));
  if (const auto* text = std::get_if<std::string>(&patchout)) {
    request.patchout = parse_patchout(*text);
  } else {
    const auto& [rows, stride] = std::get<1>(patchout);
    request.patchout.kept_rows = rows;
    request.patchout.time_stride = stride;
  }
  request.hop_seconds = hop;
  request.tail = parse_tail(tail);
  request.batch_size = batch_size;
  return request;
}

}  // namespace maest::bindings
