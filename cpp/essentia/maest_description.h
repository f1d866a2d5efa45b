// What help() says of OnnxPredictMAEST in either mode.
#pragma once

namespace maest::plugin {

inline constexpr char kMaestName[] = "OnnxPredictMAEST";
inline constexpr char kMaestSecondName[] = "MaestOnnxPredictMAEST";
inline constexpr char kMachineLearning[] = "Machine Learning";
extern const char* const kMaestDescription;

}  // namespace maest::plugin
