// What help() says of OnnxPredict2D in either mode.
#pragma once

namespace maest::plugin {

inline constexpr char kHeadName[] = "OnnxPredict2D";
inline constexpr char kHeadSecondName[] = "MaestOnnxPredict2D";
inline constexpr char kFeatures[] = "features";
inline constexpr char kFeaturesDescription[] =
    "the input features: rows, or a tensor [patches, 1, rows, values] (see `inputType`)";
inline constexpr char kPredictions[] = "predictions";
inline constexpr char kPredictionsDescription[] =
    "the output of the node named by `output`, a row for each row or patch of the input";
extern const char* const kHeadDescription;

}  // namespace maest::plugin
