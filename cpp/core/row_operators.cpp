#include "row_operators.h"

#include "cpu.h"
#include "error.h"

namespace maest {

RowOperator::RowOperator(const char* name, float levels)
    : kernels_(row_kernels(default_isa())),
      name_(name),
      levels_(row_levels(default_isa(), levels)) {
  if (kernels_ == nullptr) throw ModelError(message(name, ": no kernels for this CPU"));
  if (!(levels >= 1.0F && levels <= kMostLevels)) {
    throw ModelError(message(name, " has ", levels, " levels; wanted are 1 to ", kMostLevels));
  }
}

RowOperator::RowOperator(const char* name, const OrtKernelInfo* info)
    : RowOperator(name, kernel_float_attribute(info, "levels", kSafeLevels)) {}

RowOperator::Rows RowOperator::rows_of(const KernelInput& input) const {
  if (input.shape.empty() || input.shape.back() == 0) {
    throw ModelError(message(name_, ": wanted are rows of at least one value"));
  }
  std::size_t count = 1;
  for (std::size_t i = 0; i + 1 < input.shape.size(); ++i) {
    count *= static_cast<std::size_t>(input.shape[i]);
  }
  return {input.shape, count, static_cast<std::size_t>(input.shape.back())};
}

const RowRange* RowOperator::ranges_of(const KernelInput& input, const Rows& rows) const {
  std::vector<std::int64_t> wanted = rows.shape;
  wanted.back() = 2;
  if (input.shape != wanted) throw ModelError(message(name_, ": wanted is a range of each row"));
  static_assert(sizeof(RowRange) == 2 * sizeof(float));
  return reinterpret_cast<const RowRange*>(input.as<float>());
}

const float* RowOperator::same_rows(const KernelInput& input, const Rows& rows) const {
  if (input.shape != rows.shape) {
    throw ModelError(message(name_, ": wanted are rows to add that are as many and as long"));
  }
  return input.as<float>();
}

const float* RowOperator::table_of(const KernelInput& input, const Rows& rows,
                                   std::size_t count) const {
  const std::vector<std::int64_t> wanted{static_cast<std::int64_t>(count), rows.shape.back()};
  if (input.shape != wanted) {
    throw ModelError(message(name_, ": wanted are ", count, " values of each column"));
  }
  return input.as<float>();
}

RowRange* RowOperator::make_ranges(OrtKernelContext* context, std::size_t output,
                                   const Rows& rows) {
  std::vector<std::int64_t> shape = rows.shape;
  shape.back() = 2;
  return reinterpret_cast<RowRange*>(kernel_output<float>(context, output, shape));
}

void QuantizeRows::compute(OrtKernelContext* context) const {
  const KernelInput input = kernel_input(context, 0);
  const Rows rows = rows_of(input);
  const auto* const values = input.as<float>();
  auto* const integers = kernel_output<std::uint8_t>(context, 0, rows.shape);
  RowRange* const ranges = make_ranges(context, 1, rows);
  each_piece(context, rows, [&](std::size_t first, std::size_t end, float*) {
    for (std::size_t row = first; row < end; ++row) {
      const std::size_t at = row * rows.columns;
      quantize(values + at, rows, integers + at, ranges + row);
    }
  });
}

NormQuantizeRows::NormQuantizeRows(const OrtKernelInfo* info)
    : RowOperator(kName, info), epsilon_(kernel_float_attribute(info, "epsilon")) {}

void NormQuantizeRows::compute(OrtKernelContext* context) const {
  const KernelInput input = kernel_input(context, 0);
  const Rows rows = rows_of(input);
  const float* const scale = table_of(kernel_input(context, 1), rows, 2);
  const float* const bias = scale + rows.columns;
  const auto* const values = input.as<float>();
  auto* const integers = kernel_output<std::uint8_t>(context, 0, rows.shape);
  RowRange* const ranges = make_ranges(context, 1, rows);
  each_piece(context, rows, [&](std::size_t first, std::size_t end, float* scratch) {
    for (std::size_t row = first; row < end; ++row) {
      const std::size_t at = row * rows.columns;
      kernels_->norm(values + at, scale, bias, rows.columns, epsilon_, scratch);
      quantize(scratch, rows, integers + at, ranges + row);
    }
  });
}

void DequantizeRows::compute(OrtKernelContext* context) const {
  const KernelInput input = kernel_input(context, 0);
  const Rows rows = rows_of(input);
  const RowRange* const ranges = ranges_of(kernel_input(context, 1), rows);
  const ProductColumns columns = product_columns(table_of(kernel_input(context, 2), rows, 3), rows);
  const auto* const sums = input.as<std::int32_t>();
  auto* const output = kernel_output<float>(context, 0, rows.shape);
  each_piece(context, rows, [&](std::size_t first, std::size_t end, float*) {
    for (std::size_t row = first; row < end; ++row) {
      const std::size_t at = row * rows.columns;
      kernels_->dequantize(sums + at, ranges[row], columns, nullptr, rows.columns, output + at);
    }
  });
}

void AddRows::compute(OrtKernelContext* context) const {
  const KernelInput input = kernel_input(context, 0);
  const Rows rows = rows_of(input);
  const RowRange* const ranges = ranges_of(kernel_input(context, 1), rows);
  const ProductColumns columns = product_columns(table_of(kernel_input(context, 2), rows, 3), rows);
  const float* const residual = same_rows(kernel_input(context, 3), rows);
  const auto* const sums = input.as<std::int32_t>();
  auto* const output = kernel_output<float>(context, 0, rows.shape);
  each_piece(context, rows, [&](std::size_t first, std::size_t end, float*) {
    for (std::size_t row = first; row < end; ++row) {
      const std::size_t at = row * rows.columns;
      kernels_->dequantize(sums + at, ranges[row], columns, residual + at, rows.columns,
                           output + at);
    }
  });
}

AddNormQuantizeRows::AddNormQuantizeRows(const OrtKernelInfo* info)
    : RowOperator(kName, info), epsilon_(kernel_float_attribute(info, "epsilon")) {}

void AddNormQuantizeRows::compute(OrtKernelContext* context) const {
  const KernelInput input = kernel_input(context, 0);
  const Rows rows = rows_of(input);
  const RowRange* const in_ranges = ranges_of(kernel_input(context, 1), rows);
  const ProductColumns columns = product_columns(table_of(kernel_input(context, 2), rows, 3), rows);
  const float* const residual = same_rows(kernel_input(context, 3), rows);
  const float* const scale = table_of(kernel_input(context, 4), rows, 2);
  const float* const bias = scale + rows.columns;
  const auto* const sums = input.as<std::int32_t>();
  auto* const added = kernel_output<float>(context, 0, rows.shape);
  auto* const integers = kernel_output<std::uint8_t>(context, 1, rows.shape);
  RowRange* const ranges = make_ranges(context, 2, rows);
  each_piece(context, rows, [&](std::size_t first, std::size_t end, float* scratch) {
    for (std::size_t row = first; row < end; ++row) {
      const std::size_t at = row * rows.columns;
      kernels_->dequantize(sums + at, in_ranges[row], columns, residual + at, rows.columns,
                           added + at);
      kernels_->norm(added + at, scale, bias, rows.columns, epsilon_, scratch);
      quantize(scratch, rows, integers + at, ranges + row);
    }
  });
}

void GeluQuantizeRows::compute(OrtKernelContext* context) const {
  const KernelInput input = kernel_input(context, 0);
  const Rows rows = rows_of(input);
  const RowRange* const in_ranges = ranges_of(kernel_input(context, 1), rows);
  const float* const table = table_of(kernel_input(context, 2), rows, 4);
  const ProductColumns columns = product_columns(table, rows);
  const float* const gain = table + 3 * rows.columns;
  const auto* const sums = input.as<std::int32_t>();
  auto* const integers = kernel_output<std::uint8_t>(context, 0, rows.shape);
  RowRange* const ranges = make_ranges(context, 1, rows);
  each_piece(context, rows, [&](std::size_t first, std::size_t end, float* scratch) {
    for (std::size_t row = first; row < end; ++row) {
      const std::size_t at = row * rows.columns;
      kernels_->gelu(sums + at, in_ranges[row], columns, gain, rows.columns, scratch);
      quantize(scratch, rows, integers + at, ranges + row);
    }
  });
}

}  // namespace maest
