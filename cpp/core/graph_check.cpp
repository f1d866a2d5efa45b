#include "graph_check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "error.h"
#include "kernels.h"

namespace maest {
namespace {

constexpr int kDeepest = 100;  // messages in messages, as protobuf itself allows

// The messages of ONNX that lead to values kept elsewhere, and to loops.
enum class Message {
  model,
  training,
  function,
  graph,
  node,
  attribute,
  sparse,
  tensor,
  entry,
  value,
};

struct Child {
  Message parent;
  std::uint64_t field;
  Message message;
};

constexpr std::array<Child, 21> kChildren{{
    {Message::model, 7, Message::graph},         {Message::model, 20, Message::training},
    {Message::model, 25, Message::function},     {Message::training, 1, Message::graph},
    {Message::training, 2, Message::graph},      {Message::function, 7, Message::node},
    {Message::function, 11, Message::attribute}, {Message::graph, 1, Message::node},
    {Message::graph, 5, Message::tensor},        {Message::graph, 15, Message::sparse},
    {Message::node, 5, Message::attribute},      {Message::attribute, 5, Message::tensor},
    {Message::attribute, 6, Message::graph},     {Message::attribute, 10, Message::tensor},
    {Message::attribute, 11, Message::graph},    {Message::attribute, 22, Message::sparse},
    {Message::attribute, 23, Message::sparse},   {Message::sparse, 1, Message::tensor},
    {Message::sparse, 2, Message::tensor},       {Message::tensor, 13, Message::entry},
    {Message::graph, 11, Message::value},
}};

// Bytes of a value of ONNX's TensorProto.DataType; 0 where values are no whole bytes, or text.
constexpr std::array<std::uint64_t, 21> kValueBytes{0, 4, 1, 1, 2,  2, 4, 8, 0, 1, 2,
                                                    8, 4, 8, 8, 16, 2, 1, 1, 1, 1};

// A tensor's shape and type, as far as they say how many bytes its values take.
struct TensorSize {
  std::uint64_t type = 0;
  std::uint64_t values = 1;
  bool told = true;  // the number of values fits

  void add(std::uint64_t length) {
    if (length != 0 && values > (std::uint64_t{1} << 62) / length) told = false;
    values *= told ? length : 1;
  }
  bool fits(std::uint64_t bytes) const {
    if (type >= kValueBytes.size() || kValueBytes[type] == 0) return true;
    return told && values <= (std::uint64_t{1} << 58) && values * kValueBytes[type] == bytes;
  }
};

class Mapping {
 public:
  explicit Mapping(const std::string& path) {
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail(path);
    struct stat status = {};
    if (fstat(descriptor, &status) == 0 && status.st_size > 0) {
      size_ = static_cast<std::size_t>(status.st_size);
      data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    }
    close(descriptor);
    if (data_ == MAP_FAILED) fail(path);
  }
  ~Mapping() { munmap(data_, size_); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  [[noreturn]] static void fail(const std::string& path) {
    throw ModelError(message("model file '", path, "' cannot be read: ", std::strerror(errno)));
  }

  void* data_ = MAP_FAILED;
  std::size_t size_ = 0;
};

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> found(realpath(path.c_str(), nullptr),
                                                          &std::free);
  return found == nullptr ? std::string() : std::string(found.get());
}

// What is told of a message to the one that it is in.
struct Told {
  bool computes = false;   // a node that is an operator's, or a graph that has one
  bool idle_body = false;  // an attribute that is a graph without one, or a node with such a one
};

class Walk {
 public:
  explicit Walk(const std::string& path) : path_(path) {
    const std::size_t slash = path.rfind('/');
    folder_ = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  }

  GraphFacts check(std::string_view bytes) {
    message_in(bytes, Message::model, 0);
    if (facts_.loops && renamed_) refuse_loop("functions of its own under operators' names");
    for (const std::string_view name : packed_) {
      if (constants_.count(name) == 0 || computed_.count(name) != 0) refuse_weights(name);
    }
    return facts_;
  }

 private:
  Told message_in(std::string_view bytes, Message kind, int depth) {
    if (depth > kDeepest) damaged();
    std::array<std::string_view, 11> texts;  // fields of that number: names, among other things
    Told told;
    TensorSize size;
    std::vector<std::string_view> inputs;  // of a node
    while (!bytes.empty()) {
      const std::uint64_t tag = number(bytes, 5);
      const std::uint64_t field = tag >> 3;
      if (field == 0) damaged();
      switch (tag & 7) {
        case 0: {
          const std::uint64_t value = number(bytes, 10);
          if (field == 1) size.add(value);
          if (field == 2) size.type = value;
          break;
        }
        case 1:
          taken(bytes, 8);
          break;
        case 2: {
          const std::uint64_t length = number(bytes, 10);
          const std::string_view content = taken(bytes, length);
          if (field < texts.size()) texts[field] = content;
          if (kind == Message::node && field == 1) inputs.push_back(content);
          if (kind == Message::node && field == 2) computed_.insert(content);
          if (kind == Message::tensor && field == 1) {
            for (std::string_view packed = content; !packed.empty();) size.add(number(packed, 10));
          }
          for (const Child& child : kChildren) {
            if (child.parent != kind || child.field != field) continue;
            const Told inner = message_in(content, child.message, depth + 1);
            told.computes |= inner.computes && child.message == Message::node;
            told.idle_body |=
                inner.idle_body ||
                (kind == Message::attribute && child.message == Message::graph && !inner.computes);
          }
          break;
        }
        case 5:
          taken(bytes, 4);
          break;
        default:
          damaged();
      }
    }
    if (kind == Message::entry && texts[1] == "location") check_place(std::string(texts[2]));
    if (kind == Message::function && is_plain(texts[10])) renamed_ = true;
    if (kind == Message::tensor) constants_.insert(texts[8]);
    if (kind == Message::value) computed_.insert(texts[1]);
    // Raw values. ONNX Runtime reads some before it looks how many there are.
    if (kind == Message::tensor && texts[9].data() != nullptr && !size.fits(texts[9].size())) {
      refuse_size(texts[8], texts[9].size());
    }
    if (kind != Message::node) return told;
    if (texts[4] == "LayerNormalization" && texts[1].data() != nullptr && texts[1].empty()) {
      refuse_nameless();
    }
    const bool packs = texts[7] == kOperatorDomain && texts[4].rfind(kPackingOperators, 0) == 0;
    if (packs && inputs.size() > 1) packed_.insert(inputs[1]);
    return node(texts[4], texts[7], told.idle_body);
  }

  Told node(std::string_view type, std::string_view domain, bool idle_body) {
    if (type == "Loop" || type == "Scan") {
      facts_.loops = true;
      if (idle_body)
        refuse_loop("a body that computes nothing; wanted is one with an operator of ONNX");
    }
    // What ONNX Runtime has no turn for: a constant, and what a call may stand for.
    return {is_plain(domain) && type != "Constant", false};
  }

  // The domain of ONNX's own operators.
  static bool is_plain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

  [[noreturn]] void refuse_loop(const char* found) const {
    throw ModelError(message("model file '", path_,
                             "' has a Loop or Scan that could not be ended before its end: found ",
                             found));
  }

  [[noreturn]] void refuse_nameless() const {
    throw ModelError(message("model file '", path_,
                             "' is damaged: the last input of a LayerNormalization has no name"));
  }

  [[noreturn]] void refuse_size(std::string_view name, std::size_t found) const {
    throw ModelError(message("model file '", path_, "' is damaged: the values of '",
                             std::string(name), "' take ", found,
                             " bytes, which does not fit their shape and type"));
  }

  [[noreturn]] void refuse_weights(std::string_view name) const {
    throw ModelError(message("model file '", path_, "' multiplies integers by '", std::string(name),
                             "', which is computed or given; wanted are constants of the model"));
  }

  [[noreturn]] void damaged() const {
    throw ModelError(
        message("model file '", path_, "' cannot be loaded: it is damaged, or no ONNX file"));
  }

  std::string_view taken(std::string_view& bytes, std::uint64_t length) const {
    if (length > bytes.size()) damaged();
    const std::string_view content = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return content;
  }

  std::uint64_t number(std::string_view& bytes, int longest) const {
    std::uint64_t value = 0;
    for (int position = 0; position < longest; ++position) {
      const auto byte = static_cast<unsigned char>(taken(bytes, 1).front());
      value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * position);
      if ((byte & 0x80) == 0) return value;
    }
    damaged();
  }

  void check_place(const std::string& location) const {
    const std::string folder = real_path(folder_);
    const std::string file = real_path(folder_ + "/" + location);
    const bool relative =
        !location.empty() && location.front() != '/' && location.find('\0') == std::string::npos;
    const std::string inside = folder == "/" ? folder : folder + "/";
    if (!relative || folder.empty() || file.compare(0, inside.size(), inside) != 0) {
      throw ModelError(message("model file '", path_, "' takes values from the file '", location,
                               "'; wanted one that is in the model's own folder"));
    }
  }

  std::string path_;
  std::string folder_;
  GraphFacts facts_;
  bool renamed_ = false;
  // Names of tensors; they lie in the file.
  std::set<std::string_view> constants_;
  std::set<std::string_view> computed_;  // by nodes, or inputs of graphs
  std::set<std::string_view> packed_;    // what operators of ours pack once
};

}  // namespace

GraphFacts check_graph(const std::string& path) {
  const Mapping file(path);
  return Walk(path).check(file.bytes());
}

}  // namespace maest
