// Drawing basis states from a state. Shot s of site t takes the uniform u(seed, s, t) of base/philox.h (or the
// caller's) and finds the first index i whose cumulative probability exceeds u times the norm: an outcome is a function
// of the state and of the shot's number, whatever else is drawn, in whatever order, on however many threads.
//
// Memory: one number per 4096 amplitudes, and 16 bytes for each shot in flight (12 where the order does not matter): at
// most as many as there are amplitudes or 2^20, and never more than 2^24. Counting also takes 4 bytes for every
// possible outcome where that is at most 16 bytes a shot (or 256 KiB), else 16 for every outcome that came and 16 for
// every shot in flight.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/types.h"
#include "run/histogram.h"
#include "run/state_view.h"

namespace qfast {

// Which shots: uniforms u(seed, first_shot + i, site), i < num_shots.
struct ShotRange {
  std::uint64_t seed = 0;
  std::uint64_t first_shot = 0;
  std::int64_t num_shots = 0;
  std::uint64_t site = 0;
};

// The uniforms of uniforms.size() shots from first_shot on; shots.num_shots is not looked at.
QFAST_API void fill_uniforms(const ShotRange& shots, std::span<double> uniforms, Isa isa, int threads);

// The bits of a basis state that were asked for: bit j of the outcome is bit qubits[j] of the index, or 0 where
// qubits[j] is negative (a classical bit that nothing was measured into).
class QFAST_API OutcomeBits {
 public:
  // At most 64 bits; a qubit may be repeated. Throws Error(kInput) for more, or for a qubit that is not there.
  OutcomeBits(int num_qubits, std::span<const int> qubits);

  int num_bits() const { return num_bits_; }
  bool is_identity() const { return is_identity_; }  // all qubits in order: an outcome is its index
  std::uint64_t operator()(std::uint64_t index) const {
    if (is_identity_) return index;
    std::uint64_t outcome = 0;
    for (std::size_t byte = 0; byte < tables_.size() / 256; ++byte, index >>= 8) {
      outcome |= tables_[256 * byte + (index & 255)];
    }
    return outcome;
  }

 private:
  int num_bits_;
  bool is_identity_;
  std::vector<std::uint64_t> tables_;  // for each byte of the index, its share of the outcome
};

class QFAST_API Sampler {
 public:
  // Reads the state once. It must stay as it is while the sampler is in use. Throws Error(kInput) if its norm is zero
  // or not finite.
  Sampler(const StateView& state, Isa isa, int threads);

  double norm_squared() const { return norm_squared_; }

  // indices[i] is the basis state of uniforms[i], each in [0, 1). Order is kept.
  void find(std::span<const double> uniforms, std::int64_t* indices, int threads, CancelToken* cancel = nullptr) const;

  // indices[i] is the basis state of shot first_shot + i.
  void sample(const ShotRange& shots, std::int64_t* indices, int threads, CancelToken* cancel = nullptr) const;

  // outcomes[i]: the bits of it that were asked for.
  void sample(const ShotRange& shots, const OutcomeBits& bits, std::uint64_t* outcomes, int threads,
              CancelToken* cancel = nullptr) const;

  // The outcomes of the shots one after the other, each in (num_bits + 7) / 8 bytes, bit b in bit b % 8 of byte b / 8.
  void sample_packed(const ShotRange& shots, const OutcomeBits& bits, std::uint8_t* rows, int threads,
                     CancelToken* cancel = nullptr) const;

  // How often each outcome comes in these shots. The token, if any, counts the shots that are done.
  Histogram count(const ShotRange& shots, const OutcomeBits& bits, int threads, CancelToken* cancel = nullptr) const;

 private:
  class Block;
  struct Batch;
  class Uniforms;
  std::uint32_t block_of(double value) const;
  void sort_by_block(Batch& batch, const Uniforms& uniforms, std::size_t num_shots, int threads) const;
  template <class Visit>
  void draw(const Uniforms& uniforms, std::int64_t num_shots, bool keep_order, int threads, CancelToken* cancel,
            const Visit& visit) const;
  template <class Put>
  void find_all(const Uniforms& uniforms, std::int64_t num_shots, int threads, CancelToken* cancel,
                const Put& put) const;
  template <class Counter>
  void add_counts(std::uint32_t block, const Block& inside, std::span<const double> values, const OutcomeBits& bits,
                  Counter* count_of_outcome) const;
  template <class Counter>
  Histogram count_in_table(const ShotRange& shots, const OutcomeBits& bits, int threads, CancelToken* cancel) const;
  Histogram count_in_list(const ShotRange& shots, const OutcomeBits& bits, int threads, CancelToken* cancel) const;

  std::size_t num_blocks() const { return cumulative_.size() - 2; }

  StateView state_;
  Isa isa_;
  std::size_t block_size_;
  double norm_squared_;
  std::vector<double> cumulative_;  // [b]: norm of the blocks before block b; then infinity, which ends a search
  double cells_per_norm_;
  std::vector<std::uint32_t> guide_;  // where to start looking for a value's block, by cell of [0, norm]
};

}  // namespace qfast
