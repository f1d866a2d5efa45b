#include <pybind11/stl.h>

#include <memory>
#include <string>

#include "arguments.h"
#include "extractor.h"
#include "heard.h"
#include "mel_frontend.h"
#include "register.h"
#include "unlocked.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

std::shared_ptr<Extractor> open(const std::string& path, const py::object& threads) {
  const int count = whole_number(threads, "num_threads");
  const Unlocked unlocked;
  return std::make_shared<Extractor>(path, count);
}

// The kinds that a request can ask of the model.
py::tuple outputs_of(const ModelInfo& info) {
  py::list kinds;
  if (info.has_activations) kinds.append(OutputKind::activations);
  if (info.has_logits) kinds.append(OutputKind::logits);
  if (info.depth > 0) {
    kinds.append(OutputKind::embeddings);
    kinds.append(OutputKind::tokens);
  }
  return py::tuple(kinds);
}

}  // namespace

void register_model(py::module_& module) {
  py::enum_<OutputKind>(module, "OutputKind")
      .value("activations", OutputKind::activations)
      .value("logits", OutputKind::logits)
      .value("embeddings", OutputKind::embeddings)
      .value("tokens", OutputKind::tokens);

  py::class_<ModelInfo>(module, "ModelInfo")
      .def_readonly("name", &ModelInfo::name)
      .def_readonly("trained", &ModelInfo::trained)
      .def_readonly("precision", &ModelInfo::precision)
      .def_readonly("segment_frames", &ModelInfo::segment_frames)
      .def_readonly("segment_hop_frames", &ModelInfo::segment_hop_frames)
      .def_property_readonly(
          "segment_seconds",
          [](const ModelInfo& info) { return frames_to_seconds(info.segment_frames); })
      .def_property_readonly(
          "hop_seconds",
          [](const ModelInfo& info) { return frames_to_seconds(info.segment_hop_frames); })
      .def_property_readonly("outputs", &outputs_of)
      .def_property_readonly("grid_rows", [](const ModelInfo& info) { return info.grid.rows; })
      .def_property_readonly("grid_columns",
                             [](const ModelInfo& info) { return info.grid.columns; })
      .def_readonly("depth", &ModelInfo::depth)
      .def_readonly("dim", &ModelInfo::dim)
      .def_readonly("classes", &ModelInfo::classes)
      .def_readonly("labels", &ModelInfo::labels)
      .def_readonly("license", &ModelInfo::license)
      .def_readonly("source", &ModelInfo::source)
      .def_readonly("source_sha256", &ModelInfo::source_sha256)
      .def_readonly("essentia_metadata", &ModelInfo::essentia_metadata)
      .def_property_readonly(
          "official", [](const ModelInfo& info) { return info.kind == GraphKind::melspectrogram; });

  py::class_<Extractor, std::shared_ptr<Extractor>>(module, "Extractor")
      .def(py::init(&open), py::arg("path"), py::arg("threads"))
      .def_property_readonly("info", &Extractor::info, py::return_value_policy::reference_internal)
      .def_property_readonly("threads", &Extractor::threads)
      .def_property_readonly("operators",
                             [](const Extractor& extractor) {
                               py::dict kernels;
                               for (const OperatorUse& use : extractor.operators()) {
                                 kernels[py::str(use.name)] = use.kernel;
                               }
                               return kernels;
                             })
      .def_property_readonly("operator_nodes",
                             [](const Extractor& extractor) {
                               py::dict nodes;
                               for (const OperatorUse& use : extractor.operators()) {
                                 nodes[py::str(use.name)] = use.nodes;
                               }
                               return nodes;
                             })
      .def("plan", &Extractor::plan, py::arg("request"))
      .def(
          "hearing",
          [](const Extractor& self, const Plan& plan) {
            return hearing_of(plan, self.info().grid);
          },
          py::arg("plan"));
}

}  // namespace maest::bindings
