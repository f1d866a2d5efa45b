// Numbers from and to text. No locale has a say: a decimal point is a point everywhere.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace maest {

// The number that the whole of `text` is; nothing when it is none, or none that a double holds.
inline std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

// Appends a number for people to read: fractions with six significant digits, as printf's %g.
template <typename Number>
void append_number(std::string& text, Number number) {
  char digits[32];
  std::to_chars_result written{};
  if constexpr (std::is_floating_point_v<Number>) {
    written = std::to_chars(digits, digits + sizeof(digits), number, std::chars_format::general, 6);
  } else {
    written = std::to_chars(digits, digits + sizeof(digits), number);
  }
  text.append(digits, written.ptr);
}

}  // namespace maest
