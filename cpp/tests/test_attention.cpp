#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "attention.h"
#include "cpu.h"
#include "error.h"
#include "throws.h"

using maest::AttentionKind;
using maest::AttentionShape;
using maest::ForEach;
using maest::Isa;

namespace {

const ForEach one_by_one = [](std::size_t count, const std::function<void(std::size_t)>& work) {
  for (std::size_t i = 0; i < count; ++i) work(i);
};

const ForEach all_at_once = [](std::size_t count, const std::function<void(std::size_t)>& work) {
  std::vector<std::thread> threads;
  for (std::size_t i = count; i-- > 0;) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
};

// Queries, keys and values as a layer gives them: side by side in one row per token.
struct Problem {
  AttentionShape shape;
  std::vector<float> values;  // [batch, keys, 3 * dim]

  std::size_t dim() const { return static_cast<std::size_t>(shape.heads) * shape.head_size; }
  std::size_t stride() const { return 3 * dim(); }

  // `part` 0 is the query, 1 the key, 2 the value.
  float& at(int batch, int token, int part, int head, int channel) {
    return values[(static_cast<std::size_t>(batch) * shape.keys + token) * stride() + part * dim() +
                  static_cast<std::size_t>(head) * shape.head_size + channel];
  }

  std::vector<float> solve(Isa isa, const ForEach& for_each = one_by_one) const {
    std::vector<float> found(static_cast<std::size_t>(shape.batch) * shape.queries * dim(), -1.0F);
    const auto part = [&](int number) {
      return maest::AttentionInput{values.data() + number * dim(), stride()};
    };
    maest::attention(isa, shape, part(0), part(1), part(2), found.data(), for_each);
    return found;
  }

  // In double precision, straight from the definition.
  std::vector<double> solve_exactly() {
    std::vector<double> found;
    for (int batch = 0; batch < shape.batch; ++batch) {
      for (int query = 0; query < shape.queries; ++query) {
        for (int head = 0; head < shape.heads; ++head) {
          const std::vector<double> weights = weights_of(batch, query, head);
          for (int channel = 0; channel < shape.head_size; ++channel) {
            double sum = 0;
            for (int key = 0; key < shape.keys; ++key) {
              sum += weights[key] * at(batch, key, 2, head, channel);
            }
            found.push_back(sum);
          }
        }
      }
    }
    return found;
  }

 private:
  std::vector<double> weights_of(int batch, int query, int head) {
    std::vector<double> scores(shape.keys);
    for (int key = 0; key < shape.keys; ++key) {
      for (int channel = 0; channel < shape.head_size; ++channel) {
        scores[key] += static_cast<double>(at(batch, query, 0, head, channel)) *
                       at(batch, key, 1, head, channel) / std::sqrt(shape.head_size);
      }
    }
    const double highest = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    for (double& score : scores) total += score = std::exp(score - highest);
    for (double& score : scores) score /= total;
    return scores;
  }
};

Problem random_problem(const AttentionShape& shape, float spread = 1.0F) {
  Problem problem{shape, {}};
  problem.values.resize(static_cast<std::size_t>(shape.batch) * shape.keys * problem.stride());
  std::mt19937 generator(7);
  std::normal_distribution<float> normal;
  for (float& value : problem.values) value = spread * normal(generator);
  return problem;
}

double relative_error(const std::vector<float>& found, const std::vector<double>& wanted) {
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    error += (found[i] - wanted[i]) * (found[i] - wanted[i]);
    size += wanted[i] * wanted[i];
  }
  return std::sqrt(error / size);
}

constexpr double kOfIntegers = 1.0;
constexpr double kOfWords = 0.1;
constexpr double kOfFloats = 1e-3;

double share_of(AttentionKind kind) {
  if (kind == AttentionKind::kIntegers) return kOfIntegers;
  return kind == AttentionKind::kWords ? kOfWords : kOfFloats;
}

// All kernels of this CPU, with the share of the error of integers that is allowed to them.
template <typename Check>
void for_each_kernels(const Check& check) {
  bool any = false;
  for (const Isa isa : maest::runnable_isas()) {
    const AttentionKind kind = maest::attention_kind(isa);
    if (kind == AttentionKind::kNone) continue;
    any = true;
    SCOPED_TRACE(maest::isa_name(isa));
    check(isa, share_of(kind));
  }
  if (!any) GTEST_SKIP() << "no kernels for this CPU";
}

}  // namespace

TEST(Attention, integers_need_a_cpu_that_multiplies_bytes) {
  EXPECT_EQ(maest::attention_kind(Isa::kBaseline), AttentionKind::kNone);
  EXPECT_EQ(maest::attention_kind(Isa::kAvx512), AttentionKind::kNone);
  if (maest::cpu_can_run(Isa::kNeon)) {
    EXPECT_EQ(maest::attention_kind(Isa::kNeon), AttentionKind::kFloat);
    EXPECT_EQ(maest::attention_kind(Isa::kDotprod), AttentionKind::kIntegers);
    EXPECT_EQ(maest::attention_kind(Isa::kI8mm), AttentionKind::kIntegers);
  }
  if (!maest::cpu_can_run(Isa::kAvx2)) GTEST_SKIP() << "not a CPU with AVX2";
  EXPECT_EQ(maest::attention_kind(Isa::kAvx2), AttentionKind::kWords);
  EXPECT_EQ(maest::attention_kind(Isa::kAvxVnni), AttentionKind::kWords);
  EXPECT_EQ(maest::attention_kind(Isa::kAvx512Vnni), AttentionKind::kIntegers);
}

TEST(Attention, attention_is_refused_where_there_are_no_kernels) {
  Problem problem = random_problem({1, 3, 3, 1, 16});
  EXPECT_THROWS(problem.solve(Isa::kBaseline), maest::InvalidArgument, "avx512vnni");
  for (const Isa isa : {Isa::kDotprod, Isa::kI8mm, Isa::kAvx512Vnni}) {
    if (maest::cpu_can_run(isa)) continue;
    EXPECT_THROWS(problem.solve(isa), maest::InvalidArgument, maest::isa_name(isa));
  }
}

// The tests below try what this CPU has: where that is no integers, this one says so.
TEST(Attention, integers_are_tried) {
  for (const Isa isa : maest::runnable_isas()) {
    if (maest::attention_kind(isa) == AttentionKind::kIntegers) return;
  }
  GTEST_SKIP() << "no kernels in integers for this CPU";
}

TEST(Attention, attention_is_softmax_of_products_times_values) {
  for_each_kernels([](Isa isa, double share) {
    // Around what kernels take at once: 64 channels or keys, 128 keys, 6 and 24 queries.
    for (const int keys : {1, 2, 5, 6, 7, 24, 25, 63, 64, 65, 127, 128, 129, 192, 230, 300}) {
      for (const int head_size : {64, 32, 1, 6, 20, 80, 128}) {
        // In float32 this takes long under sanitizers, and meets nothing new.
        if (share == kOfFloats && keys > 65 && head_size > 64) continue;
        Problem problem = random_problem({2, keys, keys, 3, head_size});
        const double error = relative_error(problem.solve(isa), problem.solve_exactly());
        EXPECT_NEAR(error, 0, 0.02 * share);
      }
    }
  });
}

TEST(Attention, products_of_four_bytes_and_of_matrices_give_the_same) {
  if (!maest::cpu_can_run(Isa::kI8mm)) GTEST_SKIP() << "not a CPU with I8MM";
  for (const int keys : {1, 17, 150}) {
    for (const int head_size : {20, 64, 80}) {
      const Problem problem = random_problem({1, keys, keys, 2, head_size});
      EXPECT_TRUE(problem.solve(Isa::kDotprod) == problem.solve(Isa::kI8mm));
    }
  }
}

TEST(Attention, attention_of_fewer_queries_is_that_of_the_first) {
  for_each_kernels([](Isa isa, double) {
    Problem problem = random_problem({1, 230, 230, 2, 64});
    const std::vector<float> all = problem.solve(isa);
    for (const int queries : {0, 1, 2, 6, 7, 100}) {
      Problem first = problem;
      first.shape.queries = queries;
      const std::vector<float> found = first.solve(isa);
      EXPECT_TRUE(std::equal(found.begin(), found.end(), all.begin()));
    }
  });
}

TEST(Attention, attention_does_not_depend_on_how_work_is_shared) {
  for_each_kernels([](Isa isa, double) {
    const Problem problem = random_problem({2, 450, 450, 2, 32});
    EXPECT_TRUE(problem.solve(isa, one_by_one) == problem.solve(isa, all_at_once));
  });
}

TEST(Attention, attention_is_not_moved_by_what_all_tokens_share) {
  for_each_kernels([](Isa isa, double share) {
    Problem problem = random_problem({1, 230, 230, 2, 64});
    for (int token = 0; token < 230; ++token) {
      for (int channel = 0; channel < 64; ++channel) {
        problem.at(0, token, 1, 0, channel) += 30.0F * static_cast<float>(channel % 3);
        problem.at(0, token, 2, 1, channel) += 50.0F;
      }
    }
    std::vector<float> found = problem.solve(isa);
    std::vector<double> wanted = problem.solve_exactly();
    EXPECT_NEAR(relative_error(found, wanted), 0, 0.002 * share);  // most of it is the 50
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (i % problem.dim() < 64) continue;
      found[i] -= 50.0F;
      wanted[i] -= 50.0;
    }
    EXPECT_NEAR(
        relative_error(found, wanted), 0,
        std::max(0.015 * share, share == kOfFloats ? 2e-4 : 4e-3));  // the 50 takes six bits
  });
}

TEST(Attention, a_key_that_outweighs_all_others_does_not_silence_them) {
  for_each_kernels([](Isa isa, double share) {
    // One key has a third of the weight of 1,000: any other has a 500th of it, half a step of 8
    // bits.
    Problem problem = random_problem({1, 1001, 1001, 1, 64}, 0.01F);
    for (int token = 0; token < 1001; ++token) problem.at(0, token, 0, 0, 0) = 8.0F;
    problem.at(0, 500, 1, 0, 0) = std::log(500.0F);
    for (int token = 0; token < 1001; ++token) problem.at(0, token, 2, 0, 1) += 1.0F;
    problem.at(0, 500, 2, 0, 1) = -1.0F;
    const double wanted = problem.solve_exactly()[1];
    EXPECT_NEAR(wanted, 1.0 / 3.0, 0.02);
    // Of 1,000 keys only the 127 that share a block, and so a scale, with the heavy one may be
    // lost.
    EXPECT_NEAR(problem.solve(isa)[1], wanted, 0.12 * share);
  });
}

TEST(Attention, attention_between_equal_tokens_gives_them_back) {
  for_each_kernels([](Isa isa, double share) {
    Problem problem{{1, 70, 70, 1, 64}, {}};
    problem.values.assign(70 * problem.stride(), 0.25F);
    for (const float value : problem.solve(isa)) {
      if (share == kOfIntegers) {
        EXPECT_EQ(value, 0.25F);
      }
      EXPECT_FLOAT_EQ(value, 0.25F);
    }
    problem.values.assign(70 * problem.stride(), 0.0F);
    for (const float value : problem.solve(isa)) EXPECT_EQ(value, 0.0F);
  });
}

TEST(Attention, attention_takes_very_small_and_very_large_values) {
  for_each_kernels([](Isa isa, double share) {
    for (const float scale : {1e-38F, 1e-30F, 1e-20F, 1e-3F}) {
      Problem problem = random_problem({1, 100, 100, 1, 64}, scale);
      const std::vector<double> wanted = problem.solve_exactly();
      const std::vector<float> found = problem.solve(isa);
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_NEAR(found[i], wanted[i], std::max(0.05 * share * scale, 1e-30));
      }
    }
    // Scores so far apart that each query picks one key, of which the first has the highest.
    Problem problem = random_problem({1, 100, 100, 1, 64}, 1e4F);
    for (int token = 0; token < 100; ++token) {
      for (int channel = 0; channel < 64; ++channel) {
        problem.at(0, token, 0, 0, channel) = token % 2 == 0 ? 1e4F : 2e4F;
        if (token == 0) problem.at(0, token, 1, 0, channel) = 1e5F;
      }
    }
    EXPECT_NEAR(relative_error(problem.solve(isa), problem.solve_exactly()), 0, 0.02 * share);
  });
}

TEST(Attention, attention_hides_no_damage) {
  for_each_kernels([](Isa isa, double) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (const float damage : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
      for (int part = 0; part < 3; ++part) {
        for (const int channel : {0, 17, 63}) {
          Problem problem = random_problem({1, 70, 70, 2, 64});
          problem.at(0, 33, part, 1, channel) = damage;
          const std::vector<float> found = problem.solve(isa);
          const auto finite = [](float value) { return std::isfinite(value); };
          EXPECT_TRUE(!std::all_of(found.begin(), found.end(), finite));
        }
      }
    }
  });
}

// Their integers are of any size: a sanitizer finds sums of them that overflow.
TEST(Attention, tokens_that_are_damaged_in_every_channel) {
  for_each_kernels([](Isa isa, double) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (const float damage : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
      for (int part = 0; part < 3; ++part) {
        Problem problem = random_problem({1, 70, 70, 1, 64});
        for (int channel = 0; channel < 64; ++channel) problem.at(0, 33, part, 0, channel) = damage;
        const std::vector<float> found = problem.solve(isa);
        const auto finite = [](float value) { return std::isfinite(value); };
        EXPECT_FALSE(std::all_of(found.begin(), found.end(), finite));
      }
    }
  });
}
