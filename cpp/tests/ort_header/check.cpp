// What the engine says of ONNX Runtime's C interface, beside ONNX Runtime's own header: compiling
// this is the test (tests/python/test_ort_header.py), nothing is run.
#include "ort_api.h"

// The header defines this struct, and so does ours.
#define OrtCustomOp OfficialOrtCustomOp
#include <onnxruntime_c_api.h>
#undef OrtCustomOp
#include <cstddef>
#include <type_traits>

#include "ort_custom_op.h"

namespace {

using Official = ::OrtApi;

// Enumerations travel as int, and the struct above has two names here.
template <typename Type, typename = void>
struct Plain {
  using type = Type;
};
template <typename Type>
struct Plain<Type, std::enable_if_t<std::is_enum_v<Type>>> {
  static_assert(sizeof(Type) == sizeof(int));
  using type = int;
};
template <typename Type>
struct Plain<Type*> {
  using type = typename Plain<Type>::type*;
};
template <typename Type>
struct Plain<const Type> {
  using type = const typename Plain<Type>::type;
};
template <>
struct Plain<::OfficialOrtCustomOp> {
  using type = ::OrtCustomOp;
};
// Passed on, never looked into.
template <>
struct Plain<Official> {
  using type = void;
};
template <typename Result, typename... Arguments>
struct Plain<Result (*)(Arguments...)> {
  using type = typename Plain<Result>::type (*)(typename Plain<Arguments>::type...);
};
template <typename Result, typename... Arguments>
struct Plain<Result (*)(Arguments...) noexcept> : Plain<Result (*)(Arguments...)> {};

template <typename Ours, typename Theirs>
constexpr bool kSame = std::is_same_v<typename Plain<Ours>::type, typename Plain<Theirs>::type>;

#define MAEST_CHECK(position, result, name, arguments)                                          \
  static_assert(offsetof(Official, name) == (position) * sizeof(void*), #name " is not there"); \
  static_assert(kSame<decltype(maest::OrtApi::name), decltype(Official::name)>,                 \
                #name " takes or gives something else");
MAEST_ORT_FUNCTIONS(MAEST_CHECK)
#undef MAEST_CHECK

#define MAEST_CHECK(member)                                                                      \
  static_assert(offsetof(::OrtCustomOp, member) == offsetof(::OfficialOrtCustomOp, member),      \
                #member " is not there");                                                        \
  static_assert(kSame<decltype(::OrtCustomOp::member), decltype(::OfficialOrtCustomOp::member)>, \
                #member " takes or gives something else");
MAEST_CHECK(version)
MAEST_CHECK(CreateKernel)
MAEST_CHECK(GetName)
MAEST_CHECK(GetExecutionProviderType)
MAEST_CHECK(GetInputType)
MAEST_CHECK(GetInputTypeCount)
MAEST_CHECK(GetOutputType)
MAEST_CHECK(GetOutputTypeCount)
MAEST_CHECK(KernelCompute)
MAEST_CHECK(KernelDestroy)
MAEST_CHECK(GetInputCharacteristic)
MAEST_CHECK(GetOutputCharacteristic)
MAEST_CHECK(GetInputMemoryType)
MAEST_CHECK(GetVariadicInputMinArity)
MAEST_CHECK(GetVariadicInputHomogeneity)
MAEST_CHECK(GetVariadicOutputMinArity)
MAEST_CHECK(GetVariadicOutputHomogeneity)
MAEST_CHECK(CreateKernelV2)
MAEST_CHECK(KernelComputeV2)
#undef MAEST_CHECK

static_assert(maest::kOrtFail == ORT_FAIL);
static_assert(maest::kOrtLoggingError == ORT_LOGGING_LEVEL_ERROR);
static_assert(maest::kOrtArenaAllocator == OrtArenaAllocator);
static_assert(maest::kOrtMemoryDefault == OrtMemTypeDefault);
static_assert(maest::kOrtTensorFloat == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
static_assert(maest::kOrtTensorInt64 == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64);
static_assert(maest::kOrtTensorText == ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING);
static_assert(maest::kOrtTensorFloat64 == ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE);
static_assert(maest::kOrtRequired == INPUT_OUTPUT_REQUIRED);

}  // namespace
