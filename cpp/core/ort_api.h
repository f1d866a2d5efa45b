// The part of ONNX Runtime's C interface that the engine uses, found at run time in the library
// that the user's `onnxruntime` package carries: nothing of it is linked or bundled.
//
// The function table is append-only, so a position, once published, never changes. Positions were
// taken from ONNX Runtime's public header order; tests/python/test_ort_api.py and
// test_ort_header.py check them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

struct OrtAllocator;
struct OrtCustomOp;  // ort_custom_op.h
struct OrtCustomOpDomain;
struct OrtEnv;
struct OrtKernelContext;
struct OrtKernelInfo;
struct OrtMemoryInfo;
struct OrtModelMetadata;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtTypeInfo;
struct OrtValue;

namespace maest {

// Values of ONNX Runtime's enumerations, as its C header numbers them.
inline constexpr int kOrtFail = 1;
inline constexpr int kOrtLoggingError = 3;
inline constexpr int kOrtLoggingFatal = 4;
inline constexpr int kOrtNoOptimization = 0;
inline constexpr int kOrtArenaAllocator = 1;
inline constexpr int kOrtMemoryDefault = 0;
inline constexpr int kOrtTensorFloat = 1;
inline constexpr int kOrtTensorUint8 = 2;
inline constexpr int kOrtTensorInt8 = 3;
inline constexpr int kOrtTensorInt32 = 6;
inline constexpr int kOrtTensorInt64 = 7;
inline constexpr int kOrtTensorText = 8;
inline constexpr int kOrtTensorFloat64 = 11;

// X(position, return type, name, arguments)
#define MAEST_ORT_FUNCTIONS(X)                                                                     \
  X(0, OrtStatus*, CreateStatus, (int code, const char* words))                                    \
  X(2, const char*, GetErrorMessage, (const OrtStatus*))                                           \
  X(3, OrtStatus*, CreateEnv, (int level, const char* id, OrtEnv** out))                           \
  X(6, OrtStatus*, DisableTelemetryEvents, (const OrtEnv*))                                        \
  X(7, OrtStatus*, CreateSession,                                                                  \
    (const OrtEnv*, const char* path, const OrtSessionOptions*, OrtSession** out))                 \
  X(9, OrtStatus*, Run,                                                                            \
    (OrtSession*, const OrtRunOptions*, const char* const* input_names, const OrtValue* const*,    \
     std::size_t input_count, const char* const* output_names, std::size_t output_count,           \
     OrtValue** outputs))                                                                          \
  X(10, OrtStatus*, CreateSessionOptions, (OrtSessionOptions * *out))                              \
  X(14, OrtStatus*, EnableProfiling, (OrtSessionOptions*, const char* prefix))                     \
  X(23, OrtStatus*, SetSessionGraphOptimizationLevel, (OrtSessionOptions*, int))                   \
  X(24, OrtStatus*, SetIntraOpNumThreads, (OrtSessionOptions*, int))                               \
  X(26, OrtStatus*, CreateCustomOpDomain, (const char* name, OrtCustomOpDomain** out))             \
  X(27, OrtStatus*, CustomOpDomain_Add, (OrtCustomOpDomain*, const OrtCustomOp*))                  \
  X(28, OrtStatus*, AddCustomOpDomain, (OrtSessionOptions*, OrtCustomOpDomain*))                   \
  X(30, OrtStatus*, SessionGetInputCount, (const OrtSession*, std::size_t* out))                   \
  X(31, OrtStatus*, SessionGetOutputCount, (const OrtSession*, std::size_t* out))                  \
  X(33, OrtStatus*, SessionGetInputTypeInfo, (const OrtSession*, std::size_t, OrtTypeInfo** out))  \
  X(34, OrtStatus*, SessionGetOutputTypeInfo, (const OrtSession*, std::size_t, OrtTypeInfo** out)) \
  X(36, OrtStatus*, SessionGetInputName,                                                           \
    (const OrtSession*, std::size_t, OrtAllocator*, char** out))                                   \
  X(37, OrtStatus*, SessionGetOutputName,                                                          \
    (const OrtSession*, std::size_t, OrtAllocator*, char** out))                                   \
  X(39, OrtStatus*, CreateRunOptions, (OrtRunOptions * *out))                                      \
  X(41, OrtStatus*, RunOptionsSetRunLogSeverityLevel, (OrtRunOptions*, int))                       \
  X(46, OrtStatus*, RunOptionsSetTerminate, (OrtRunOptions*))                                      \
  X(49, OrtStatus*, CreateTensorWithDataAsOrtValue,                                                \
    (const OrtMemoryInfo*, void* data, std::size_t bytes, const std::int64_t* shape,               \
     std::size_t rank, int type, OrtValue** out))                                                  \
  X(51, OrtStatus*, GetTensorMutableData, (OrtValue*, void** out))                                 \
  X(55, OrtStatus*, CastTypeInfoToTensorInfo,                                                      \
    (const OrtTypeInfo*, const OrtTensorTypeAndShapeInfo** out))                                   \
  X(60, OrtStatus*, GetTensorElementType, (const OrtTensorTypeAndShapeInfo*, int* out))            \
  X(61, OrtStatus*, GetDimensionsCount, (const OrtTensorTypeAndShapeInfo*, std::size_t* out))      \
  X(62, OrtStatus*, GetDimensions,                                                                 \
    (const OrtTensorTypeAndShapeInfo*, std::int64_t* values, std::size_t count))                   \
  X(65, OrtStatus*, GetTensorTypeAndShape, (const OrtValue*, OrtTensorTypeAndShapeInfo** out))     \
  X(69, OrtStatus*, CreateCpuMemoryInfo, (int allocator, int memory, OrtMemoryInfo** out))         \
  X(76, OrtStatus*, AllocatorFree, (OrtAllocator*, void*))                                         \
  X(78, OrtStatus*, GetAllocatorWithDefaultOptions, (OrtAllocator * *out))                         \
  X(85, OrtStatus*, KernelInfoGetAttribute_float,                                                  \
    (const OrtKernelInfo*, const char* name, float* out))                                          \
  X(86, OrtStatus*, KernelInfoGetAttribute_int64,                                                  \
    (const OrtKernelInfo*, const char* name, std::int64_t* out))                                   \
  X(90, OrtStatus*, KernelContext_GetInput,                                                        \
    (const OrtKernelContext*, std::size_t index, const OrtValue** out))                            \
  X(91, OrtStatus*, KernelContext_GetOutput,                                                       \
    (OrtKernelContext*, std::size_t index, const std::int64_t* shape, std::size_t rank,            \
     OrtValue** out))                                                                              \
  X(93, void, ReleaseStatus, (OrtStatus*))                                                         \
  X(94, void, ReleaseMemoryInfo, (OrtMemoryInfo*))                                                 \
  X(95, void, ReleaseSession, (OrtSession*))                                                       \
  X(96, void, ReleaseValue, (OrtValue*))                                                           \
  X(97, void, ReleaseRunOptions, (OrtRunOptions*))                                                 \
  X(98, void, ReleaseTypeInfo, (OrtTypeInfo*))                                                     \
  X(99, void, ReleaseTensorTypeAndShapeInfo, (OrtTensorTypeAndShapeInfo*))                         \
  X(100, void, ReleaseSessionOptions, (OrtSessionOptions*))                                        \
  X(111, OrtStatus*, SessionGetModelMetadata, (const OrtSession*, OrtModelMetadata** out))         \
  X(116, OrtStatus*, ModelMetadataLookupCustomMetadataMap,                                         \
    (const OrtModelMetadata*, OrtAllocator*, const char* key, char** out))                         \
  X(118, void, ReleaseModelMetadata, (OrtModelMetadata*))                                          \
  X(130, OrtStatus*, AddSessionConfigEntry,                                                        \
    (OrtSessionOptions*, const char* key, const char* value))                                      \
  X(274, OrtStatus*, KernelContext_ParallelFor,                                                    \
    (const OrtKernelContext*, void (*work)(void* data, std::size_t index), std::size_t count,      \
     std::size_t batches, void* data))

struct OrtApi {
#define MAEST_ORT_POINTER(position, type, name, arguments) type(*name) arguments = nullptr;
  MAEST_ORT_FUNCTIONS(MAEST_ORT_POINTER)
#undef MAEST_ORT_POINTER

  std::string library_path;
  std::string version;

  // Throws `ModelError` with ONNX Runtime's own words behind `context` unless `status` is a
  // success.
  void check(OrtStatus* status, const std::string& context) const;
};

// Opens the library (ort_library.h) on first use. Throws `RuntimeUnavailable` when it is missing or
// too old. Safe to call from several threads.
const OrtApi& ort_api();

// The process-wide environment, created on first use and never released: sessions may outlive
// static destruction in a Python process.
const OrtEnv* ort_environment();

}  // namespace maest
