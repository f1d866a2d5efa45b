#include "row_operators.h"

#include "cpu.h"
#include "error.h"

namespace maest {

RowOperator::RowOperator(const char* name, float levels)
    : name_(name),
      kernels_(row_kernels(default_isa())),
      levels_(row_levels(default_isa(), levels)) {
  if (kernels_ == nullptr) throw ModelError(message(name, ": no kernels for this CPU"));
  if (!(levels >= 1.0F && levels <= kMostLevels)) {
    throw ModelError(message(name, " has ", levels, " levels; wanted are 1 to ", kMostLevels));
  }
}

RowOperator::RowOperator(const char* name, const OrtKernelInfo* info)
    : RowOperator(name, kernel_float_attribute(info, "levels", kSafeLevels)) {}

const RowRange* RowOperator::ranges_of(const KernelInput& input, const RowShape& rows) const {
  std::vector<std::int64_t> wanted = rows.shape;
  wanted.back() = 2;
  if (input.shape != wanted) throw ModelError(message(name_, ": wanted is a range of each row"));
  static_assert(sizeof(RowRange) == 2 * sizeof(float));
  return reinterpret_cast<const RowRange*>(input.as<float>());
}

const float* RowOperator::same_rows(const KernelInput& input, const RowShape& rows) const {
  if (input.shape != rows.shape) {
    throw ModelError(message(name_, ": wanted are rows to add that are as many and as long"));
  }
  return input.as<float>();
}

const float* RowOperator::table_of(const KernelInput& input, const RowShape& rows,
                                   std::size_t count) const {
  const std::vector<std::int64_t> wanted{static_cast<std::int64_t>(count), rows.shape.back()};
  if (input.shape != wanted) {
    throw ModelError(message(name_, ": wanted are ", count, " values of each column"));
  }
  return input.as<float>();
}

RowRange* RowOperator::make_ranges(OrtKernelContext* context, std::size_t output,
                                   const RowShape& rows) {
  std::vector<std::int64_t> shape = rows.shape;
  shape.back() = 2;
  return reinterpret_cast<RowRange*>(kernel_output<float>(context, output, shape));
}

void QuantizeRows::compute(OrtKernelContext* context) const {
  const KernelInput input = kernel_input(context, 0);
  const RowShape rows = row_shape(input, name_);
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
  const RowShape rows = row_shape(input, name_);
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

template <typename Sums>
void DequantizeRows<Sums>::compute(OrtKernelContext* context) const {
  const auto call = this->sums_.begin(context);
  const RowShape& rows = call.rows;
  const RowRange* const ranges = this->ranges_of(this->input_after_sums(context, 0), rows);
  const ProductColumns columns =
      this->product_columns(this->table_of(this->input_after_sums(context, 1), rows, 3), rows);
  auto* const output = kernel_output<float>(context, 0, rows.shape);
  this->each_row(context, call, [&](std::size_t row, const std::int32_t* sums, float*) {
    this->kernels_->dequantize(sums, ranges[row], columns, nullptr, rows.columns,
                               output + row * rows.columns);
  });
}

template <typename Sums>
void AddRows<Sums>::compute(OrtKernelContext* context) const {
  const auto call = this->sums_.begin(context);
  const RowShape& rows = call.rows;
  const RowRange* const ranges = this->ranges_of(this->input_after_sums(context, 0), rows);
  const ProductColumns columns =
      this->product_columns(this->table_of(this->input_after_sums(context, 1), rows, 3), rows);
  const float* const residual = this->same_rows(this->input_after_sums(context, 2), rows);
  auto* const output = kernel_output<float>(context, 0, rows.shape);
  this->each_row(context, call, [&](std::size_t row, const std::int32_t* sums, float*) {
    const std::size_t at = row * rows.columns;
    this->kernels_->dequantize(sums, ranges[row], columns, residual + at, rows.columns,
                               output + at);
  });
}

template <typename Sums>
AddNormQuantizeRows<Sums>::AddNormQuantizeRows(const OrtKernelInfo* info)
    : SumsOperator<Sums>(kName, info), epsilon_(kernel_float_attribute(info, "epsilon")) {}

template <typename Sums>
void AddNormQuantizeRows<Sums>::compute(OrtKernelContext* context) const {
  const auto call = this->sums_.begin(context);
  const RowShape& rows = call.rows;
  const RowRange* const in_ranges = this->ranges_of(this->input_after_sums(context, 0), rows);
  const ProductColumns columns =
      this->product_columns(this->table_of(this->input_after_sums(context, 1), rows, 3), rows);
  const float* const residual = this->same_rows(this->input_after_sums(context, 2), rows);
  const float* const scale = this->table_of(this->input_after_sums(context, 3), rows, 2);
  const float* const bias = scale + rows.columns;
  auto* const added = kernel_output<float>(context, 0, rows.shape);
  auto* const integers = kernel_output<std::uint8_t>(context, 1, rows.shape);
  RowRange* const ranges = this->make_ranges(context, 2, rows);
  this->each_row(context, call, [&](std::size_t row, const std::int32_t* sums, float* scratch) {
    const std::size_t at = row * rows.columns;
    this->kernels_->dequantize(sums, in_ranges[row], columns, residual + at, rows.columns,
                               added + at);
    this->kernels_->norm(added + at, scale, bias, rows.columns, epsilon_, scratch);
    this->quantize(scratch, rows, integers + at, ranges + row);
  });
}

template <typename Sums>
void GeluQuantizeRows<Sums>::compute(OrtKernelContext* context) const {
  const auto call = this->sums_.begin(context);
  const RowShape& rows = call.rows;
  const RowRange* const in_ranges = this->ranges_of(this->input_after_sums(context, 0), rows);
  const float* const table = this->table_of(this->input_after_sums(context, 1), rows, 4);
  const ProductColumns columns = this->product_columns(table, rows);
  const float* const gain = table + 3 * rows.columns;
  auto* const integers = kernel_output<std::uint8_t>(context, 0, rows.shape);
  RowRange* const ranges = this->make_ranges(context, 1, rows);
  this->each_row(context, call, [&](std::size_t row, const std::int32_t* sums, float* scratch) {
    this->kernels_->gelu(sums, in_ranges[row], columns, gain, rows.columns, scratch);
    this->quantize(scratch, rows, integers + row * rows.columns, ranges + row);
  });
}

template class DequantizeRows<GivenSums>;
template class DequantizeRows<MultipliedSums>;
template class AddRows<GivenSums>;
template class AddRows<MultipliedSums>;
template class AddNormQuantizeRows<GivenSums>;
template class AddNormQuantizeRows<MultipliedSums>;
template class GeluQuantizeRows<GivenSums>;
template class GeluQuantizeRows<MultipliedSums>;

}  // namespace maest
