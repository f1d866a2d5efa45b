// Metadata of a model whose graph is sound. The input is lines "key=value"; in values, "\n" stands
// for a line's end. MAEST_FUZZ_MODEL names the model; what it says of itself is dropped.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "one_file.h"
#include "opened.h"

namespace {

constexpr unsigned kMetadata = 14;  // ModelProto.metadata_props
constexpr unsigned kKey = 1, kValue = 2;
constexpr unsigned kBytes = 2;  // wire type

void put_number(std::string& to, std::size_t number) {
  for (; number >= 0x80; number >>= 7) to += static_cast<char>((number & 0x7F) | 0x80);
  to += static_cast<char>(number);
}

void put_field(std::string& to, unsigned field, std::string_view bytes) {
  put_number(to, field << 3 | kBytes);
  put_number(to, bytes.size());
  to += bytes;
}

std::size_t number_at(const std::string& from, std::size_t& position) {
  std::size_t number = 0;
  for (unsigned shift = 0; position < from.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from[position++]);
    number |= static_cast<std::size_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return number;
  }
  std::abort();
}

std::string read_model() {
  const char* path = std::getenv("MAEST_FUZZ_MODEL");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      path == nullptr ? nullptr : std::fopen(path, "rb"), std::fclose);
  if (!file) {
    std::fputs("MAEST_FUZZ_MODEL: wanted is the path of a model file\n", stderr);
    std::exit(2);
  }
  std::string bytes;
  std::vector<char> piece(1 << 16);
  while (const auto count = std::fread(piece.data(), 1, piece.size(), file.get())) {
    bytes.append(piece.data(), count);
  }
  return bytes;
}

// A good file's top level is numbers and byte strings only.
std::string without_metadata(const std::string& model) {
  std::string kept;
  for (std::size_t position = 0; position < model.size();) {
    const auto begin = position;
    const auto tag = number_at(model, position);
    const auto value = number_at(model, position);
    if ((tag & 7) == kBytes) position += value;
    if (tag >> 3 != kMetadata) kept.append(model, begin, position - begin);
  }
  return kept;
}

std::string entry(std::string_view line) {
  const auto equals = line.find('=');
  std::string value;
  if (equals != std::string_view::npos) {
    for (std::size_t at = equals + 1; at < line.size(); ++at) {
      const bool line_end = line.substr(at, 2) == "\\n";
      value += line_end ? '\n' : line[at];
      at += line_end;
    }
  }
  std::string bytes;
  put_field(bytes, kKey, line.substr(0, equals));
  put_field(bytes, kValue, value);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  static maest::fuzz::OneFile file;
  static const std::string graph = without_metadata(read_model());
  std::string model = graph;
  std::string_view text(reinterpret_cast<const char*>(bytes), count);
  while (!text.empty()) {
    const auto end = text.find('\n');
    put_field(model, kMetadata, entry(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  file.write(reinterpret_cast<const std::uint8_t*>(model.data()), model.size());
  maest::fuzz::open_model(file.path());
  return 0;
}
