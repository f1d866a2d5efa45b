#include "head_description.h"

namespace maest::plugin {

const char* const kHeadDescription =
    "This algorithm makes predictions with any ONNX model that takes embeddings, such as a "
    "classifier of one's own or Essentia's classification heads for MAEST, by ONNX Runtime. It "
    "takes the place of TensorflowPredict2D, and of TensorflowPredict for heads on MAEST.\n"
    "\n"
    "A row of the output is computed from each row of the input, or from each patch if the input "
    "is a tensor:\n"
    "  model input [any, values]: rows of that many values; or, with `inputType=tensor`, a tensor "
    "whose patches have that many values in all, such as a stacked embedding\n"
    "  model input [any, rows, values] or [any, 1, rows, values]: a tensor, such as all tokens of "
    "a MAEST block\n"
    "The type of the input is fixed by configuring: in standard mode a matrix or a tensor; in "
    "streaming mode vectors or tensors. Inputs that are connected keep their type.\n"
    "\n"
    "Possible pipelines are as follows::\n"
    "\n"
    "  MonoLoader(sampleRate=16000, resampleQuality=4) >> "
    "OnnxPredictMAEST(graphFilename='maest.onnx', output='PartitionedCall/Identity_12') >> "
    "OnnxPredict2D(graphFilename='genre_discogs400.onnx')\n"
    "\n"
    "  MonoLoader(sampleRate=16000, resampleQuality=4) >> "
    "OnnxPredictMAEST(graphFilename='maest.onnx', output='embeddings') >> "
    "OnnxPredict2D(graphFilename='my_classifier.onnx', inputType='tensor')\n"
    "\n"
    "An exception is thrown for features that are empty or do not fit the model, naming both "
    "shapes.\n"
    "\n"
    "Note: in streaming mode rows leave when a batch is full. Standard and streaming mode divide "
    "the input into the same batches and give the same values to the bit.\n"
    "\n"
    "References:\n"
    "  [1] Models at https://essentia.upf.edu/models.html";

}  // namespace maest::plugin
