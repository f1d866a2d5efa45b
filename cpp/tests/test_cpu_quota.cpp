// Control groups as folders: what Linux would show.
#include <gtest/gtest.h>

#include <clocale>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "cpu_quota.h"
#include "error.h"
#include "text_numbers.h"

namespace {

namespace fs = std::filesystem;

class Groups {
 public:
  Groups()
      : root_(fs::temp_directory_path() / ("maest-" + std::to_string(std::random_device()()))) {
    fs::create_directory(root_);
  }
  ~Groups() { fs::remove_all(root_); }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  int cpus() const { return maest::cpus_by_quota(root_ / "own", root_ / "mount"); }

 private:
  fs::path root_;
};

}  // namespace

TEST(CpuQuota, no_groups_are_no_quota) { EXPECT_EQ(Groups().cpus(), 0); }

TEST(CpuQuota, quota_of_version_2_is_rounded_up) {
  const Groups groups;
  groups.write("own", "0::/\n");
  groups.write("mount/cpu.max", "150000 100000\n");
  EXPECT_EQ(groups.cpus(), 2);
  groups.write("mount/cpu.max", "max 100000\n");
  EXPECT_EQ(groups.cpus(), 0);
}

TEST(CpuQuota, tightest_group_on_the_way_up_counts) {
  const Groups groups;
  groups.write("own", "0::/system.slice/a:b.scope\n");
  groups.write("mount/system.slice/cpu.max", "300000 100000\n");
  groups.write("mount/system.slice/a:b.scope/cpu.max", "max 100000\n");
  EXPECT_EQ(groups.cpus(), 3);
  groups.write("mount/system.slice/a:b.scope/cpu.max", "50000 100000\n");
  EXPECT_EQ(groups.cpus(), 1);
}

TEST(CpuQuota, quota_of_version_1_is_that_of_the_controller_cpu) {
  const Groups groups;
  groups.write("own", "5:cpuset:/other\n4:cpu,cpuacct:/job\n1:name=systemd:/x\n0::/\n");
  groups.write("mount/cpu/cpu.cfs_quota_us", "-1\n");
  groups.write("mount/cpu/cpu.cfs_period_us", "100000\n");
  groups.write("mount/cpu/job/cpu.cfs_quota_us", "400000\n");
  groups.write("mount/cpu/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(groups.cpus(), 4);
}

TEST(CpuQuota, damaged_groups_are_no_quota) {
  for (const char* text :
       {"", "\n", "x", "150000", "150000 0", "-5 100000", "1e400 1", "nan nan"}) {
    const Groups groups;
    groups.write("own", "\n::\n0:\n0::relative\nno colons");
    groups.write("mount/cpu.max", text);
    EXPECT_EQ(groups.cpus(), 0);
  }
}

TEST(CpuQuota, numbers_are_read_whole) {
  EXPECT_EQ(maest::parse_number("4.25").value(), 4.25);
  EXPECT_EQ(maest::parse_number("-1e-05").value(), -1e-05);
  for (const char* text : {"", " 1", "1 ", "1,5", "1.5x", "max", "0x10", "+1"}) {
    EXPECT_TRUE(!maest::parse_number(text));
  }
}

// A program that sets its user's locale: C's own functions read and write 4,25 then, where the
// machine has such a locale.
TEST(CpuQuota, a_point_is_a_point_in_every_locale) {
  for (const char* locale : {"C", "de_DE.UTF-8", "fr_FR.UTF-8"}) {
    std::setlocale(LC_ALL, locale);
    EXPECT_EQ(maest::parse_number("4.25").value(), 4.25);
    EXPECT_EQ(maest::message(4.25, ' ', 1234567, ' ', 1e6), "4.25 1234567 1e+06");
  }
  std::setlocale(LC_ALL, "C");
}

TEST(CpuQuota, messages_read_as_before) {
  EXPECT_EQ(maest::message("'", std::string("name"), "' has ", 1234567.0, 'x', -3, " and ",
                           std::size_t{7}, ", ", 0.1f, ", ", 1.0 / 3),
            "'name' has 1.23457e+06x-3 and 7, 0.1, 0.333333");
}
