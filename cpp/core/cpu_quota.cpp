#include "cpu_quota.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string_view>

#include "text_numbers.h"

namespace maest {
namespace {

// "" when the file cannot be read.
std::string text_of(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  std::string text;
  if (!file) return text;
  char piece[1024];
  while (const std::size_t bytes = std::fread(piece, 1, sizeof(piece), file.get())) {
    text.append(piece, bytes);
  }
  return text;
}

// Takes what stands before the first `separator` off `text`; all of it where there is none.
std::string_view take(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

// Of texts such as "150000" and "100000"; 0 for "max", "-1" and what is no number.
int whole_cpus(std::string_view quota, std::string_view period) {
  constexpr double kMost = 1 << 20;
  const double allowed = parse_number(quota).value_or(0);
  const double of = parse_number(period).value_or(0);
  return allowed > 0 && of > 0 ? static_cast<int>(std::min(std::ceil(allowed / of), kMost)) : 0;
}

// This process's path in the hierarchy of a controller of version 1, or of version 2 for "", e.g.
// "/system.slice/job.scope"; "" at the root.
std::string own_group(std::string_view groups, const std::string& controller) {
  while (!groups.empty()) {  // "4:cpu,cpuacct:/path", version 2 is "0::/path"
    std::string_view line = take(groups, '\n');
    take(line, ':');
    const std::string names = "," + std::string(take(line, ':')) + ",";
    if (line.empty() || line.front() != '/') continue;
    const bool wanted = controller.empty()
                            ? names == ",,"
                            : names.find("," + controller + ",") != std::string::npos;
    if (wanted) return line == "/" ? "" : std::string(line);
  }
  return "";
}

// Any ancestor's quota limits the process as well.
template <typename ReadQuota>
int tightest_quota(const std::string& root, std::string group, const ReadQuota& read_quota) {
  int tightest = read_quota(root);
  while (!group.empty()) {
    tightest = smaller_quota(tightest, read_quota(root + group));
    group.erase(group.rfind('/'));
  }
  return tightest;
}

std::string first_line(const std::string& path) {
  const std::string text = text_of(path);
  return text.substr(0, text.find('\n'));
}

}  // namespace

int smaller_quota(int left, int right) {
  if (left == 0) return right;
  if (right == 0) return left;
  return std::min(left, right);
}

int cpus_by_quota(const std::string& own_groups, const std::string& root) {
  const std::string groups = text_of(own_groups);
  const int second = tightest_quota(root, own_group(groups, ""), [](const std::string& folder) {
    const std::string line = first_line(folder + "/cpu.max");  // "max 100000" or "150000 100000"
    std::string_view rest = line;
    const std::string_view quota = take(rest, ' ');
    return whole_cpus(quota, rest);
  });
  const int first =
      tightest_quota(root + "/cpu", own_group(groups, "cpu"), [](const std::string& folder) {
        return whole_cpus(first_line(folder + "/cpu.cfs_quota_us"),
                          first_line(folder + "/cpu.cfs_period_us"));
      });
  return smaller_quota(second, first);
}

}  // namespace maest
