// Tests of csrc/base/thread_pool. Built with AddressSanitizer and with ThreadSanitizer too (CMake presets asan, tsan).
#include "base/thread_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/aligned_buffer.h"
#include "check.h"

using namespace qfast;

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr int kRepeats = 200;
#else
constexpr int kRepeats = 2000;
#endif

// Several works in a row on plain memory: right only if every piece is done once, sees all that was written before its
// work began, and is seen by all after it.
bool team_is_sound(Team& team, std::int64_t num_pieces) {
  std::vector<int> values(static_cast<std::size_t>(num_pieces), 0);
  std::atomic<bool> sound{true};
  for (int round = 0; round < 4; ++round) {
    const bool is_done = team.run(num_pieces, nullptr, [&](Pieces::Taker& pieces) {
      for (std::int64_t piece; (piece = pieces.take()) >= 0;) {
        const auto i = static_cast<std::size_t>(piece);
        if (values[i] != round) sound = false;
        values[i] = round + 1;
      }
    });
    if (!is_done) sound = false;
    for (int value : values) sound = sound && value == round + 1;
  }
  return sound;
}

bool team_is_sound(int threads, Help help = Help::kAlways) {
  Team team(threads, help);
  return team_is_sound(team, 7);
}

TEST(every_piece_is_done_once_and_seen_by_all) {
  for (int repetition = 0; repetition < kRepeats; ++repetition) {
    for (int threads : {1, 2, 3, 5}) CHECK(team_is_sound(threads));
  }
  CHECK(ThreadPool::instance().num_started() >= 4);
}

TEST(a_team_that_works_alone_for_a_while_does_all_pieces_too) {
  for (int repetition = 0; repetition < kRepeats; ++repetition) CHECK(team_is_sound(3, Help::kIfItPays));
}

// Workers are called for works that are over before they come, again and again: what they find must never be the work
// before, whose pieces and body are gone.
TEST(workers_that_come_late_find_the_door_closed) {
  Team team(4, Help::kAlways);
  for (int repetition = 0; repetition < 10 * kRepeats; ++repetition) {
    std::atomic<int> done{0};
    team.run(2, nullptr, [&](Pieces::Taker& pieces) {
      while (pieces.take() >= 0) ++done;
    });
    CHECK(done == 2);
    if (repetition % 64 == 0) std::this_thread::yield();
  }
}

TEST(a_free_pool_gives_the_threads_that_were_asked_for) {
  const Team team(3);
  CHECK(team.size() == 3);
}

TEST(a_team_inside_a_team_is_one_thread) {
  std::atomic<int> inner_threads{0};
  Team team(2, Help::kAlways);
  team.run(2, nullptr, [&](Pieces::Taker& pieces) {
    while (pieces.take() >= 0) {
      Team inner(2);
      inner_threads += inner.size();
      CHECK(team_is_sound(inner, 3));
    }
  });
  CHECK(inner_threads == 2);
}

TEST(many_threads_may_call_the_pool_at_once) {
  std::vector<std::thread> callers;
  std::atomic<int> unsound{0};
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int repetition = 0; repetition < kRepeats / 20; ++repetition) unsound += !team_is_sound(2);
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(unsound == 0);
}

std::string error_of(std::int64_t num_pieces, int threads) {
  Team team(threads, Help::kAlways);
  try {
    team.run(num_pieces, nullptr, [&](Pieces::Taker& pieces) {
      for (std::int64_t piece; (piece = pieces.take()) >= 0;) {
        if (piece % 3 == 2) throw std::runtime_error(std::to_string(piece));
      }
    });
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

TEST(the_error_is_that_of_the_lowest_piece) {
  for (int repetition = 0; repetition < kRepeats; ++repetition) {
    for (int threads : {1, 2, 4}) CHECK(error_of(100, threads) == "2");
  }
  CHECK(error_of(2, 2) == "none");
}

TEST(memory_that_a_worker_does_not_get_is_the_callers_error) {
  Team team(3, Help::kAlways);
  bool is_caught = false;
  try {
    team.run(3, nullptr, [&](Pieces::Taker& pieces) {
      if (pieces.take() >= 0) throw std::bad_alloc();
    });
  } catch (const std::bad_alloc&) {
    is_caught = true;
  }
  CHECK(is_caught);
  CHECK(team_is_sound(team, 5));
}

TEST(a_token_stops_the_pieces_that_are_not_taken) {
  CancelToken cancel;
  Team team(2, Help::kAlways);
  std::atomic<int> done{0};
  const bool is_done = team.run(1000, &cancel, [&](Pieces::Taker& pieces) {
    while (pieces.take() >= 0) {
      ++done;
      cancel.cancelled = true;
    }
  });
  CHECK(!is_done);
  CHECK(done >= 1 && done <= 2);
}

// The worker's piece ends when the token is set, which only the caller's listener does: while the caller waits.
TEST(a_caller_that_waits_for_a_worker_listens) {
  CancelToken cancel;
  std::atomic<bool> is_worker_here{false};
  const auto caller = std::this_thread::get_id();
  const auto hear = [&] {
    if (is_worker_here) cancel.cancelled = true;
    return is_worker_here.load();
  };
  const Listener listener(hear);
  Team team(2, Help::kAlways);
  const bool is_done = team.run(2, &cancel, [&](Pieces::Taker& pieces) {
    if (pieces.take() < 0) return;
    if (std::this_thread::get_id() == caller) {
      while (!is_worker_here) std::this_thread::yield();
      return;
    }
    is_worker_here = true;
    while (!cancel.cancelled) std::this_thread::yield();
  });
  CHECK(!is_done);
  CHECK(listener.is_interrupted());
}

TEST(parallel_for_visits_every_item_once) {
  std::vector<int> visits(1001, 0);
  parallel_for(3, 1001, 10, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) ++visits[static_cast<std::size_t>(i)];
  });
  for (int count : visits) CHECK(count == 1);
  parallel_for(3, 0, 10, [&](std::int64_t, std::int64_t) { CHECK(!"called for no items"); });
}

TEST(denormals_are_flushed_in_a_team_only) {
  volatile double tiny = std::numeric_limits<double>::denorm_min();
  CHECK(tiny * 2 != 0);
  {
    Team team(2, Help::kAlways);
    CHECK(tiny * 2 == 0);
    team.run(2, nullptr, [&](Pieces::Taker& pieces) {
      while (pieces.take() >= 0) CHECK(tiny * 2 == 0);
    });
  }
  CHECK(tiny * 2 != 0);
}

#if !defined(__SANITIZE_THREAD__)  // ThreadSanitizer does not follow a fork of a process with threads
TEST(a_child_forked_while_teams_work_starts_with_a_working_pool) {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) team_is_sound(2);
  });
  for (int i = 0; i < 10; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      bool good = ThreadPool::instance().num_started() == 0 && team_is_sound(2);
      good = good && ThreadPool::instance().num_started() == 1;
      const StateBuffer buffer = StateBufferPool::instance().allocate(1 << 21);
      std::memset(buffer.data(), 1, buffer.size_bytes());
      _exit(good ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  stop = true;
  busy.join();
}
#endif

}  // namespace
