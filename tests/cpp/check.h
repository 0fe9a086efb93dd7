// The smallest possible test program: a list of named cases, and CHECK, which reports its place and goes on.
// `program [part of a name]` runs the cases whose names hold the text; the exit code is the number of failures.
#pragma once

#include <cstdio>
#include <cstring>
#include <vector>

struct TestCase {
  const char* name;
  void (*run)();
};

inline std::vector<TestCase>& test_cases() {
  static std::vector<TestCase> cases;
  return cases;
}
inline int failures = 0;

struct RegisterTest {
  RegisterTest(const char* name, void (*run)()) { test_cases().push_back({name, run}); }
};

#define TEST(name)                                        \
  static void name();                                     \
  static const RegisterTest register_##name(#name, name); \
  static void name()

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                                  \
    }                                                                              \
  } while (false)

int main(int argc, char** argv) {
  for (const TestCase& test : test_cases()) {
    if (argc > 1 && std::strstr(test.name, argv[1]) == nullptr) continue;
    const int before = failures;
    test.run();
    std::printf("%s %s\n", failures == before ? "ok    " : "FAILED", test.name);
    std::fflush(stdout);
  }
  return failures > 99 ? 99 : failures;
}
