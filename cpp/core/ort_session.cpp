#include "ort_session.h"

#include <sys/stat.h>

#include <cstdlib>
#include <mutex>
#include <utility>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "error.h"
#include "graph_check.h"
#include "model_file.h"
#include "ort_api.h"
#include "ort_operators.h"
#include "runtime_use.h"

namespace maest {
namespace {

// Owns a handle of the C interface and gives it back through its own release function.
template <typename Handle>
using Owned = std::unique_ptr<Handle, void (*)(Handle*)>;

template <typename Handle>
Owned<Handle> own(Handle* handle, void (*release)(Handle*)) {
  return Owned<Handle>(handle, release);
}

ElementType element_type(int type) {
  if (type == kOrtTensorFloat) return ElementType::float32;
  if (type == kOrtTensorInt64) return ElementType::int64;
  if (type == kOrtTensorText) return ElementType::text;
  if (type == kOrtTensorFloat64) return ElementType::float64;
  return ElementType::other;
}

std::vector<std::int64_t> dimensions(const OrtTensorTypeAndShapeInfo* info) {
  const OrtApi& api = ort_api();
  std::size_t rank = 0;
  api.check(api.GetDimensionsCount(info, &rank), "reading a tensor's rank");
  std::vector<std::int64_t> shape(rank);
  api.check(api.GetDimensions(info, shape.data(), rank), "reading a tensor's shape");
  return shape;
}

std::string take_string(char* text, OrtAllocator* allocator) {
  const OrtApi& api = ort_api();
  std::string copy = text;
  api.check(api.AllocatorFree(allocator, text), "freeing a string");
  return copy;
}

OrtAllocator* default_allocator() {
  const OrtApi& api = ort_api();
  OrtAllocator* allocator = nullptr;
  api.check(api.GetAllocatorWithDefaultOptions(&allocator), "finding the default allocator");
  return allocator;
}

Port read_port(std::string name, OrtTypeInfo* raw_info) {
  const OrtApi& api = ort_api();
  const auto info = own(raw_info, api.ReleaseTypeInfo);
  const OrtTensorTypeAndShapeInfo* tensor = nullptr;  // borrowed from `info`
  api.check(api.CastTypeInfoToTensorInfo(info.get(), &tensor),
            "reading the type of '" + name + "'");
  if (tensor == nullptr) return {std::move(name), ElementType::none, {}};
  int type = 0;
  api.check(api.GetTensorElementType(tensor, &type), "reading the type of '" + name + "'");
  return {std::move(name), element_type(type), dimensions(tensor)};
}

std::vector<Port> read_ports(const OrtSession* session,
                             OrtStatus* (*get_count)(const OrtSession*, std::size_t*),
                             OrtStatus* (*get_name)(const OrtSession*, std::size_t, OrtAllocator*,
                                                    char**),
                             OrtStatus* (*get_type)(const OrtSession*, std::size_t, OrtTypeInfo**),
                             const std::string& context) {
  const OrtApi& api = ort_api();
  OrtAllocator* allocator = default_allocator();
  std::size_t count = 0;
  api.check(get_count(session, &count), context);
  std::vector<Port> ports;
  for (std::size_t i = 0; i < count; ++i) {
    char* name = nullptr;
    api.check(get_name(session, i, allocator, &name), context);
    std::string owned_name = take_string(name, allocator);
    OrtTypeInfo* info = nullptr;
    api.check(get_type(session, i, &info), context);
    ports.push_back(read_port(std::move(owned_name), info));
  }
  return ports;
}

// What tells one state of a file from another.
struct FileState {
  dev_t device;
  ino_t inode;
  off_t size;
  std::int64_t modified;  // nanoseconds

  bool operator==(const FileState& other) const {
    return device == other.device && inode == other.inode && size == other.size &&
           modified == other.modified;
  }
};

FileState require_readable_file(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) {
    throw ModelError(message("model file '", path, "' does not exist or cannot be read"));
  }
  if (!S_ISREG(status.st_mode)) {
    throw ModelError(message("'", path, "' is not a file; an .onnx model file is wanted"));
  }
  if (status.st_size == 0) throw ModelError(message("model file '", path, "' is empty (0 bytes)"));
  return {status.st_dev, status.st_ino, status.st_size,
          std::int64_t{status.st_mtim.tv_sec} * 1000000000 + status.st_mtim.tv_nsec};
}

std::string load_context(const std::string& path) {
  return "model file '" + path + "' cannot be loaded";
}

const Port* find(const std::vector<Port>& ports, const std::string& name) {
  for (const Port& port : ports) {
    if (port.name == name) return &port;
  }
  return nullptr;
}

}  // namespace

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) {
    if (text.size() > 1) text += ", ";
    text += size < 0 ? std::string("any") : std::to_string(size);
  }
  return text + "]";
}

struct Session::Handles {
  unsigned generation = fork_generation();
  FileState file{};
  std::vector<OperatorUse> operators;
  Owned<OrtSession> session{nullptr, nullptr};
  Owned<OrtModelMetadata> metadata{nullptr, nullptr};
  Owned<OrtMemoryInfo> memory{nullptr, nullptr};
};

Tensor::Tensor(void* value) : value_(value), data_(nullptr) {
  const OrtApi& api = ort_api();
  OrtTensorTypeAndShapeInfo* raw_info = nullptr;
  api.check(api.GetTensorTypeAndShape(static_cast<OrtValue*>(value_), &raw_info),
            "reading an output's shape");
  const auto info = own(raw_info, api.ReleaseTensorTypeAndShapeInfo);
  shape_ = dimensions(info.get());
  void* data = nullptr;
  api.check(api.GetTensorMutableData(static_cast<OrtValue*>(value_), &data), "reading an output");
  data_ = static_cast<const float*>(data);
}

Tensor::~Tensor() {
  if (value_ != nullptr) ort_api().ReleaseValue(static_cast<OrtValue*>(value_));
}

Tensor::Tensor(Tensor&& other) noexcept
    : value_(std::exchange(other.value_, nullptr)),
      data_(other.data_),
      shape_(std::move(other.shape_)) {}

std::unique_ptr<Session::Handles> Session::open() const {
  auto handles = std::make_unique<Handles>();
  handles->file = require_readable_file(path_);
  refuse_tensorflow(path_);
  const GraphFacts facts = check_graph(path_);
  const OrtApi& api = ort_api();
  const RuntimeUse use;
  const std::string context = load_context(path_);

  OrtSessionOptions* raw_options = nullptr;
  api.check(api.CreateSessionOptions(&raw_options), context);
  const auto options = own(raw_options, api.ReleaseSessionOptions);
  api.check(api.SetIntraOpNumThreads(options.get(), threads_), context);
  // What is taken out of a loop's body for speed may be all that it has: see graph_check.h.
  if (facts.loops) {
    api.check(api.SetSessionGraphOptimizationLevel(options.get(), kOrtNoOptimization), context);
  }
  // Waiting threads sleep: the engine shares its CPUs with decoders.
  api.check(api.AddSessionConfigEntry(options.get(), "session.intra_op.allow_spinning", "0"),
            context);

  // What ONNX Runtime repacks for speed is freed rather than kept by its arena.
  api.check(api.AddSessionConfigEntry(options.get(),
                                      "session.use_device_allocator_for_initializers", "1"),
            context);

  register_operators(options.get());

  // ONNX Runtime writes PREFIX_TIME.json when the session is released.
  const char* const profile = std::getenv("ESSENTIA_MAEST_PROFILE");
  if (profile != nullptr && *profile != '\0') {
    api.check(api.EnableProfiling(options.get(), profile),
              "profiling to '" + std::string(profile) + "'");
  }

  OrtSession* raw_session = nullptr;
  const OperatorCounter counter;
  api.check(api.CreateSession(ort_environment(), path_.c_str(), options.get(), &raw_session),
            context);
  handles->session = own(raw_session, api.ReleaseSession);
  handles->operators = counter.uses();
  end_runtime_uses_at_exit();
#ifdef __GLIBC__
  malloc_trim(0);  // reading the file leaves as much free memory behind as it is large
#endif
  OrtModelMetadata* raw_metadata = nullptr;
  api.check(api.SessionGetModelMetadata(raw_session, &raw_metadata), context);
  handles->metadata = own(raw_metadata, api.ReleaseModelMetadata);
  OrtMemoryInfo* raw_memory = nullptr;
  api.check(api.CreateCpuMemoryInfo(kOrtArenaAllocator, kOrtMemoryDefault, &raw_memory), context);
  handles->memory = own(raw_memory, api.ReleaseMemoryInfo);
  return handles;
}

Session::Session(const std::string& path, int threads)
    : path_(path), threads_(threads), handles_(nullptr) {
  std::unique_ptr<Handles> handles = open();
  const OrtApi& api = ort_api();
  const std::string context = load_context(path_);
  const OrtSession* const raw_session = handles->session.get();
  inputs_ = read_ports(raw_session, api.SessionGetInputCount, api.SessionGetInputName,
                       api.SessionGetInputTypeInfo, context);
  outputs_ = read_ports(raw_session, api.SessionGetOutputCount, api.SessionGetOutputName,
                        api.SessionGetOutputTypeInfo, context);
  handles_ = handles.release();
}

Session::~Session() {
  Handles* const handles = handles_;
  if (handles->generation == fork_generation()) delete handles;  // else it is the parent's
}

const Session::Handles& Session::handles() const {
  const auto usable = [this](const Handles& handles) {
    return handles.generation == fork_generation() ||
           (threads_ == 1 && forked_at_rest(handles.generation));
  };
  const Handles* found = handles_;
  if (usable(*found)) return *found;
  const std::lock_guard<std::mutex> lock(fork_safe_mutex());
  found = handles_;
  if (usable(*found)) return *found;  // another thread was here first
  std::unique_ptr<Handles> anew = open();
  if (!(anew->file == found->file)) {
    throw ModelError(message("model file '", path_,
                             "' has changed since it was opened, and this process was forked since "
                             "then: open it anew"));
  }
  handles_ = anew.get();
  return *anew.release();
}

std::vector<OperatorUse> Session::operators() const { return handles().operators; }

const Port* Session::find_input(const std::string& name) const { return find(inputs_, name); }

const Port* Session::find_output(const std::string& name) const { return find(outputs_, name); }

std::optional<std::string> Session::metadata(const std::string& key) const {
  const OrtApi& api = ort_api();
  OrtAllocator* allocator = default_allocator();
  char* value = nullptr;
  api.check(api.ModelMetadataLookupCustomMetadataMap(handles().metadata.get(), allocator,
                                                     key.c_str(), &value),
            "reading the metadata of '" + path_ + "'");
  if (value == nullptr) return std::nullopt;
  return take_string(value, allocator);
}

std::vector<Tensor> Session::run(const std::vector<TensorView>& inputs,
                                 const std::vector<std::string>& output_names,
                                 const Stops& stops) const {
  const OrtApi& api = ort_api();
  const Handles& handles = this->handles();
  const RuntimeUse use;
  const std::string context = "running model '" + path_ + "'";
  std::vector<Owned<OrtValue>> values;
  std::vector<const OrtValue*> input_values;
  std::vector<const char*> input_names;
  for (const TensorView& input : inputs) {
    std::size_t bytes = input.type == ElementType::int64 ? sizeof(std::int64_t) : sizeof(float);
    for (const std::int64_t size : input.shape) bytes *= static_cast<std::size_t>(size);
    OrtValue* value = nullptr;
    // ONNX Runtime takes a mutable pointer but never writes to an input.
    api.check(api.CreateTensorWithDataAsOrtValue(
                  handles.memory.get(), const_cast<void*>(input.data), bytes, input.shape.data(),
                  input.shape.size(),
                  input.type == ElementType::int64 ? kOrtTensorInt64 : kOrtTensorFloat, &value),
              context);
    values.push_back(own(value, api.ReleaseValue));
    input_values.push_back(value);
    input_names.push_back(input.name);
  }
  std::vector<const char*> names;
  for (const std::string& name : output_names) names.push_back(name.c_str());
  std::vector<OrtValue*> raw_outputs(names.size(), nullptr);
  const StoppableRun run(stops);
  auto failure =
      own(api.Run(handles.session.get(), run.options(), input_names.data(), input_values.data(),
                  input_values.size(), names.data(), names.size(), raw_outputs.data()),
          api.ReleaseStatus);
  std::vector<Owned<OrtValue>> owned_outputs;
  for (OrtValue* value : raw_outputs) owned_outputs.push_back(own(value, api.ReleaseValue));
  if (failure != nullptr) run.require_going();  // else it is told below
  api.check(failure.release(), context);
  std::vector<Tensor> outputs;
  outputs.reserve(raw_outputs.size());
  for (auto& value : owned_outputs) {
    outputs.emplace_back(value.get());
    value.release();  // now the tensor's
  }
  return outputs;
}

}  // namespace maest
