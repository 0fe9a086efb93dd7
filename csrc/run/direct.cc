#include "run/direct.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "base/flush_denormals.h"

namespace qfast {
namespace {

// Up to here no plan runs faster than the gates themselves, even when it is there already. Six families at 6, 7 and 8
// qubits on an Intel Xeon (family 6, model 167) with AVX-512, microseconds, gates : plan: 6 qubits 1.3 : 1.7 (QFT) to
// 2.9 : 4.2 (Trotter); 7 qubits 1.8 : 2.0 to 5.7 : 5.0, and 4.3 : 3.1 (QAOA).
constexpr int kMostQubits = 6;
constexpr std::int64_t kMostGates = 512;

constexpr std::int32_t kNever = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kMostNumbersOfGate = 48;  // of its steps: a dense pair's 32, a table of 16, or one-qubit gates
constexpr std::uint32_t kNoOffsets[64] = {};    // of a table that is the same for every block

std::size_t to_size(std::int64_t i) { return static_cast<std::size_t>(i); }
bool is_near(Complex a, Complex b) { return is_zero(a - b); }

bool is_real(const Complex* numbers, std::size_t count) {
  return std::all_of(numbers, numbers + count, [](Complex z) { return is_zero(z.imag()); });
}

// A swap, whatever gate it is.
bool is_swap(const Matrix4& m) {
  constexpr std::array<int, 16> kSwap{1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  for (std::size_t i = 0; i < 16; ++i) {
    if (!is_near(m[i], kSwap[i])) return false;
  }
  return true;
}

}  // namespace

bool is_direct(const FlatCircuit& circuit, int block_bits) {
  if (circuit.num_qubits > kMostQubits || circuit.size() > kMostGates) return false;
  for (std::int64_t i = 0; i < circuit.size(); ++i) {
    const Operation op = operation_at(circuit, i);
    if (op.num_controls + op.num_targets > block_bits || op.row->data == DataKind::kPermutation) return false;
    const bool is_mixing = op.row->data != DataKind::kDiagonal;
    if (is_mixing && (op.num_targets > 2 || (op.num_targets == 2 && op.num_controls > 0))) return false;
    if (op.num_targets == 0 && op.num_controls > 0) return false;  // a controlled phase without a target
  }
  return true;
}

template <class T>
void DirectSteps<T>::bind(const FlatCircuit& circuit, const double* values) {
  begin(circuit);
  const double* params = circuit.params.data();
  if (!circuit.expressions.slots.empty()) {
    evaluate_parameters(circuit, values, params_);
    params = params_.data();
  }
  for (std::int64_t i = 0; i < circuit.size(); ++i) {
    const Operation op = operation_at(circuit, i);
    const std::size_t first = i == 0 ? 0 : to_size(circuit.qubit_end[to_size(i - 1)]);
    add_gate(circuit, op, params);
    for (std::size_t k = first; k < to_size(circuit.qubit_end[to_size(i)]); ++k) {
      next_use_[to_size(circuit.qubits[k])] = next_uses_[k];
    }
  }
  end();
}

template <class T>
void DirectSteps<T>::begin(const FlatCircuit& circuit) {
  num_qubits_ = circuit.num_qubits;
  lane_bits_ = kernels_.lane_bits;
  vector_bits_ = std::max(kernels_.block_bits, num_qubits_ - lane_bits_);
  num_positions_ = lane_bits_ + vector_bits_;
  QFAST_ASSERT(num_positions_ <= kMaxPositions && (std::size_t{1} << vector_bits_) <= kMaxVectors);
  scale_ = 1.0;
  blocks_.clear();
  steps_.clear();
  numbers_.clear();
  numbers_.reserve(to_size(circuit.size() + num_qubits_) * kMostNumbersOfGate);  // steps point into it
  list_uses(circuit);
  for (int p = 0; p < num_positions_; ++p) place_[to_size(p)] = at_[to_size(p)] = static_cast<std::int8_t>(p);
  has_pending_.fill(false);
  open_block(0);
}

template <class T>
void DirectSteps<T>::list_uses(const FlatCircuit& circuit) {
  next_use_.fill(kNever);
  next_uses_.resize(circuit.qubits.size());
  for (std::int64_t i = circuit.size() - 1; i >= 0; --i) {
    const std::size_t first = i == 0 ? 0 : to_size(circuit.qubit_end[to_size(i - 1)]);
    for (std::size_t k = first; k < to_size(circuit.qubit_end[to_size(i)]); ++k) {
      std::int32_t& next = next_use_[to_size(circuit.qubits[k])];
      next_uses_[k] = next;
      next = static_cast<std::int32_t>(i);
    }
  }
}

// --- gates ----------------------------------------------------------------------------------------------------------

template <class T>
void DirectSteps<T>::add_gate(const FlatCircuit& circuit, const Operation& op, const double* params) {
  if (op.row->data == DataKind::kDiagonal) {
    return add_diagonal(op, circuit.complex_data[to_size(op.data)].data());
  }
  Matrix4 m;
  if (op.row->data == DataKind::kNone) {
    op.row->matrix(params + op.first_param, m.data());
  } else {
    target_matrix(circuit, op, params, matrix_);
    std::copy(matrix_.begin(), matrix_.end(), m.begin());
  }
  if (op.num_targets == 0) {
    scale_ *= m[0];
  } else if (op.num_targets == 2) {
    add_two(op.qubits, m);
  } else if (op.num_controls > 0) {
    add_controlled(op, {m[0], m[1], m[2], m[3]});
  } else {
    const auto q = to_size(op.qubits[0]);
    const Matrix2 one{m[0], m[1], m[2], m[3]};
    pending_[q] = has_pending_[q] ? multiply(one, pending_[q]) : one;
    has_pending_[q] = true;
  }
}

// Makes steps of the one-qubit gates that have gathered on a qubit.
template <class T>
void DirectSteps<T>::settle(int qubit) {
  if (!has_pending_[to_size(qubit)]) return;
  has_pending_[to_size(qubit)] = false;
  add_one(qubit, pending_[to_size(qubit)]);
}

// m = scale · [[1, a], [b, d]], after an exchange of the inputs where that makes |a| at most 1, as plan/bind.cc does.
template <class T>
void DirectSteps<T>::add_one(int qubit, Matrix2 m) {
  const std::int32_t q = qubit;
  bring(&q, 1);
  const int slot = slot_of(qubit);
  if (std::norm(m[0]) < std::norm(m[1])) {
    add_step(step_code(StepKind::kExchange, slot), nullptr, 0, false);
    std::swap(m[0], m[1]);
    std::swap(m[2], m[3]);
  }
  const Complex inverse = 1.0 / m[0];
  std::array<Complex, 3> all{m[1] * inverse, m[2] * inverse, m[3] * inverse};
  scale_ *= m[0];
  const auto [a, b, d] = all;
  if (is_near(a, 0) && is_near(b, 0)) {
    if (is_near(d, 1)) return;
    std::array<Complex, 1 << kMaxBlockBits> table;
    table.fill(1.0);
    for (std::size_t i = 0; i < table.size(); ++i) {
      if ((i >> slot) & 1) table[i] = d;
    }
    const std::array<Complex, 2> kept{1.0, d};
    scale_ *= lost_norm<T>(kept);
    return add_step(step_code(StepKind::kDiagonalScalar, 1 + slot), table.data(), 1u << kernels_.block_bits, false);
  }
  scale_ *= lost_norm<T>(all, 1);
  const bool is_plus = is_near(d, 1), is_minus = is_near(d, -1);
  if (is_real(all.data(), 3) && (is_plus || is_minus)) {
    add_step(step_code(is_plus ? StepKind::kReal : StepKind::kRealNeg, slot), all.data(), 2, true);
  } else if (is_plus) {
    add_step(step_code(StepKind::kGivens, slot), all.data(), 2, false);
  } else {
    add_step(step_code(StepKind::kScaled, slot), all.data(), 3, false);
  }
  renormalise();
}

// Amplitudes grow by up to √2 a step while the factors are left out; single precision ends at 3e38.
template <class T>
void DirectSteps<T>::renormalise() {
  if (std::norm(scale_) > (sizeof(T) == 4 ? 1e-24 : 1e-200)) return;
  add_step(step_code(StepKind::kScale, 0), &scale_, 1, false);
  scale_ = 1.0;
}

template <class T>
void DirectSteps<T>::add_two(const std::int32_t* qubits, Matrix4 m) {
  if (is_swap(m)) return swap(qubits[0], qubits[1]);
  for (int k = 0; k < 2; ++k) {
    const auto q = to_size(qubits[k]);
    if (!has_pending_[q]) continue;
    has_pending_[q] = false;
    m = multiply(m, widen(pending_[q], k == 1));
  }
  bring(qubits, 2);
  int j = slot_of(qubits[0]), k = slot_of(qubits[1]);
  if (j > k) {
    m = exchange_qubits(m);
    std::swap(j, k);
  }
  const int variant = j == 0 ? k - 1 : 2;
  std::uint16_t pattern = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    if (!is_zero(m[i])) pattern = static_cast<std::uint16_t>(pattern | (1u << i));
  }
  scale_ *= lost_norm<T>(m);
  if ((pattern & ~kPatternPairs2) == 0) {
    const std::array<Complex, 8> pairs{m[0], m[3], m[12], m[15], m[5], m[6], m[9], m[10]};
    return add_step(step_code(StepKind::kPairs2, variant), pairs.data(), pairs.size(), false);
  }
  const bool real = is_real(m.data(), 16);
  add_step(step_code(real ? StepKind::kDense2Real : StepKind::kDense2, variant), m.data(), 16, real);
}

template <class T>
void DirectSteps<T>::add_controlled(const Operation& op, const Matrix2& m) {
  if (is_near(m[1], 0) && is_near(m[2], 0)) {
    const std::array<Complex, 2> diagonal{m[0], m[3]};
    return add_diagonal(op, diagonal.data());
  }
  const int count = op.num_controls + 1, target = op.qubits[op.num_controls];
  for (int k = 0; k < count; ++k) settle(op.qubits[k]);
  bring(op.qubits, count);
  const int slot = slot_of(target);
  std::uint32_t controls = 0;  // over the block bits other than the target's, ascending
  const auto flip_open_controls = [&] {
    for (int k = 0; k < op.num_controls; ++k) {
      if ((op.control_state >> k) & 1) continue;
      add_step(step_code(StepKind::kExchange, slot_of(op.qubits[k])), nullptr, 0, false);
    }
  };
  for (int k = 0; k < op.num_controls; ++k) {
    const int control = slot_of(op.qubits[k]);
    controls |= 1u << (control > slot ? control - 1 : control);
  }
  const int variant = slot + 3 * static_cast<int>(controls);
  flip_open_controls();
  if (is_near(m[0], 0) && is_near(m[3], 0) && is_near(m[1], 1) && is_near(m[2], 1)) {
    add_step(step_code(StepKind::kExchange, variant), nullptr, 0, false);
  } else {
    const bool real = is_real(m.data(), 4);
    add_step(step_code(real ? StepKind::kGeneralReal : StepKind::kGeneral, variant), m.data(), 4, real);
  }
  flip_open_controls();
}

// A diagonal on the targets, under the controls. One-qubit gates that wait on its qubits come first.
template <class T>
void DirectSteps<T>::add_diagonal(const Operation& op, const Complex* diagonal) {
  const int count = op.num_controls + op.num_targets;
  for (int k = 0; k < count; ++k) settle(op.qubits[k]);
  bring(op.qubits, count);
  const std::size_t size = std::size_t{1} << kernels_.block_bits;
  std::array<Complex, 1 << kMaxBlockBits> table;
  std::size_t needed = size - 1;  // block bits that are set in every entry other than 1
  for (std::size_t i = 0; i < size; ++i) {
    std::uint64_t state = 0;  // of the gate's qubits
    for (int k = 0; k < count; ++k) state |= std::uint64_t{(i >> slot_of(op.qubits[k])) & 1} << k;
    const std::uint64_t controls = state & ((std::uint64_t{1} << op.num_controls) - 1);
    table[i] = controls == op.control_state ? diagonal[state >> op.num_controls] : Complex{1.0, 0.0};
    if (table[i] != Complex{1.0, 0.0}) needed &= i;
  }
  if (op.num_controls == 0) scale_ *= lost_norm<T>(std::span<const Complex>(table.data(), size));
  int variant = 0;
  if (std::has_single_bit(needed)) {
    variant = 1 + std::countr_zero(needed);
  } else if (needed != 0) {
    const int first = std::countr_zero(needed), second = std::countr_zero(needed & (needed - 1));
    variant = 4 + (first == 0 ? second - 1 : 2);
  }
  add_step(step_code(StepKind::kDiagonalScalar, variant), table.data(), size, false);
}

template <class T>
void DirectSteps<T>::swap(int a, int b) {
  const auto i = to_size(a), j = to_size(b);
  std::swap(place_[i], place_[j]);
  at_[to_size(place_[i])] = static_cast<std::int8_t>(a);
  at_[to_size(place_[j])] = static_cast<std::int8_t>(b);
  std::swap(pending_[i], pending_[j]);
  std::swap(has_pending_[i], has_pending_[j]);
}

// --- places ---------------------------------------------------------------------------------------------------------

// The block bit that a qubit lies on.
template <class T>
int DirectSteps<T>::slot_of(int qubit) const {
  const int bit = place_[to_size(qubit)] - lane_bits_;
  for (int s = 0; s < kernels_.block_bits; ++s) {
    if (block_[to_size(s)] == bit) return s;
  }
  return -1;
}

// The block bit, but for some, whose qubit is needed last.
template <class T>
int DirectSteps<T>::worst_slot(std::uint32_t kept_slots) const {
  int worst = -1;
  std::int32_t latest = -1;
  for (int s = 0; s < kernels_.block_bits; ++s) {
    if ((kept_slots >> s) & 1) continue;
    const std::int32_t next = next_use_[to_size(at_[to_size(lane_bits_ + block_[to_size(s)])])];
    if (next <= latest) continue;
    latest = next;
    worst = s;
  }
  return worst;
}

template <class T>
void DirectSteps<T>::swap_lane(int slot, int lane) {
  add_step(step_code(StepKind::kSwapLane, slot + 3 * lane), nullptr, 0, false);
  const int position = lane_bits_ + block_[to_size(slot)];
  std::swap(at_[to_size(position)], at_[to_size(lane)]);
  place_[to_size(at_[to_size(position)])] = static_cast<std::int8_t>(position);
  place_[to_size(at_[to_size(lane)])] = static_cast<std::int8_t>(lane);
}

// Lays qubits on block bits.
template <class T>
void DirectSteps<T>::bring(const std::int32_t* qubits, int count) {
  std::uint32_t needed = 0, kept = 0;  // vector bits, block bits
  bool is_open = true;
  for (int k = 0; k < count; ++k) {
    const int bit = place_[to_size(qubits[k])] - lane_bits_;
    if (bit < 0) continue;
    needed |= 1u << bit;
    is_open = is_open && slot_of(qubits[k]) >= 0;
  }
  if (!is_open) open_block(needed);
  for (int k = 0; k < count; ++k) {
    if (const int slot = slot_of(qubits[k]); slot >= 0) kept |= 1u << slot;
  }
  for (int k = 0; k < count; ++k) {
    const int place = place_[to_size(qubits[k])];
    if (place >= lane_bits_) continue;
    const int slot = worst_slot(kept);
    swap_lane(slot, place);
    kept |= 1u << slot;
  }
}

// Begins a pass with some vector bits as block bits, filled up with those whose qubits are needed next.
template <class T>
void DirectSteps<T>::open_block(std::uint32_t needed_bits) {
  for (int left = kernels_.block_bits - std::popcount(needed_bits); left > 0; --left) {
    int best = -1;
    for (int v = 0; v < vector_bits_; ++v) {
      if ((needed_bits >> v) & 1) continue;
      const auto next = [&](int bit) { return next_use_[to_size(at_[to_size(lane_bits_ + bit)])]; };
      if (best < 0 || next(v) < next(best)) best = v;
    }
    needed_bits |= 1u << best;
  }
  if (!blocks_.empty()) {
    blocks_.back().last_step = steps_.size();
    if (blocks_.back().first_step == steps_.size()) blocks_.pop_back();
  }
  Block block;
  block.first_step = steps_.size();
  block.geometry.num_inserted = static_cast<std::int8_t>(kernels_.block_bits);
  block.geometry.num_blocks = 1u << (vector_bits_ - kernels_.block_bits);
  for (int s = 0; s < kernels_.block_bits; ++s, needed_bits &= needed_bits - 1) {
    const auto bit = static_cast<std::int8_t>(std::countr_zero(needed_bits));
    block_[to_size(s)] = block.geometry.inserted[s] = block.geometry.block_bits[s] = bit;
  }
  blocks_.push_back(block);
}

// The remaining gates; then the lanes get the qubits that memory has in them, and the vectors find their places there.
template <class T>
void DirectSteps<T>::end() {
  for (int q = 0; q < num_qubits_; ++q) settle(q);
  for (int lane = 0; lane < lane_bits_; ++lane) {
    if (at_[to_size(lane)] == lane) continue;
    const std::int32_t qubit = lane;
    bring(&qubit, 1);
    swap_lane(slot_of(lane), lane);
  }
  blocks_.back().last_step = steps_.size();
  skip_mask_ = 0;
  store_offsets_[0] = 0;
  for (int v = 0; v < vector_bits_; ++v) {
    const int qubit = at_[to_size(lane_bits_ + v)];
    const bool is_padding = qubit >= num_qubits_;
    if (is_padding) skip_mask_ |= 1u << v;
    const std::size_t size = std::size_t{1} << v;
    for (std::size_t i = 0; i < size; ++i) {
      store_offsets_[size + i] = store_offsets_[i] + (is_padding ? 0 : std::uint64_t{1} << qubit);
    }
  }
}

template <class T>
void DirectSteps<T>::add_step(std::uint16_t code, const Complex* numbers, std::size_t count, bool is_real) {
  steps_.push_back({numbers_.data() + numbers_.size(), kNoOffsets, code});
  for (std::size_t i = 0; i < count; ++i) {
    numbers_.push_back(static_cast<T>(numbers[i].real()));
    if (!is_real) numbers_.push_back(static_cast<T>(numbers[i].imag()));
  }
  QFAST_ASSERT(numbers_.size() <= numbers_.capacity() && steps_.back().constants >= numbers_.data());
}

// --- a run ----------------------------------------------------------------------------------------------------------

template <class T>
void DirectSteps<T>::run(T* amplitudes, Start start) const {
  const FlushDenormals flush_denormals;
  constexpr std::size_t kMostNumbers = std::size_t{2} << kMaxPositions;
  const std::size_t size = std::size_t{2} << num_positions_, own = std::size_t{2} << num_qubits_;
  alignas(64) thread_local T tile[kMostNumbers];
  alignas(64) T padded[32];  // one vector of amplitudes: where the state is smaller
  T* memory = amplitudes;
  if (num_qubits_ < lane_bits_) {
    memory = padded;
    std::fill(padded, padded + (std::size_t{2} << lane_bits_), T(0));
    if (start == Start::kGiven) std::copy(amplitudes, amplitudes + own, padded);
  }
  if (start == Start::kZero) {
    std::fill(tile, tile + size, T(0));
    tile[0] = T(1);
  } else {
    std::array<std::uint64_t, kMaxVectors> low{};
    std::uint32_t zero_mask = 0;
    for (int v = 0; v < vector_bits_; ++v) {
      const std::size_t half = std::size_t{1} << v;
      if (lane_bits_ + v >= num_qubits_) zero_mask |= 1u << v;
      for (std::size_t i = 0; i < half; ++i) low[half + i] = low[i] + (half << lane_bits_);
    }
    const std::uint64_t high = 0;
    const TileMap map{&high, low.data(), 1u << vector_bits_};
    kernels_.load(tile, {.from = memory, .load_map = &map, .zero_mask = zero_mask});
  }
  const std::uint64_t high = 0;
  const TileMap map{&high, store_offsets_.data(), 1u << vector_bits_};
  const BlockIo<T> to_memory{.to = memory,
                             .store_map = &map,
                             .skip_mask = skip_mask_,
                             .scale_re = static_cast<T>(scale_.real()),
                             .scale_im = static_cast<T>(scale_.imag())};
  Prefetch none;
  for (const Block& block : blocks_) {
    const bool is_last = &block == &blocks_.back();
    kernels_.run_block(tile, block.geometry, steps_.data() + block.first_step,
                       static_cast<int>(block.last_step - block.first_step), is_last ? to_memory : BlockIo<T>{}, &none);
  }
  if (memory != amplitudes) std::copy(padded, padded + own, amplitudes);
}

template <class T>
typename DirectSteps<T>::Summary DirectSteps<T>::summary() const {
  enum { kOne, kTwo, kDiagonalStep, kLaneSwap, kExchanged };
  Summary out;
  out.passes = static_cast<int>(blocks_.size());
  for (const LiveStep<T>& step : steps_) {
    const auto [name, flops] = [&]() -> std::pair<int, double> {
      switch (static_cast<StepKind>(step.code / 16)) {
        case StepKind::kReal:
        case StepKind::kRealNeg:
        case StepKind::kImag:
          return {kOne, 4};
        case StepKind::kGivens:
          return {kOne, 8};
        case StepKind::kScaled:
          return {kOne, 11};
        case StepKind::kGeneral:
          return {kOne, step.code % 16 < 3 ? 14 : 7};
        case StepKind::kGeneralReal:
          return {kOne, step.code % 16 < 3 ? 6 : 3};
        case StepKind::kDense2:
          return {kTwo, 30};
        case StepKind::kDense2Real:
          return {kTwo, 14};
        case StepKind::kPairs2:
        case StepKind::kPairs2Scaled:
          return {kTwo, 14};
        case StepKind::kDiagonal:
        case StepKind::kScale:
          return {kDiagonalStep, 6};
        case StepKind::kDiagonalScalar:
          return {kDiagonalStep, step.code % 16 == 0 ? 6 : step.code % 16 < 4 ? 3 : 1.5};
        case StepKind::kSwapLane:
          return {kLaneSwap, 0};
        case StepKind::kExchange:
          return {kExchanged, 0};
      }
      return {kOne, 0};
    }();
    ++out.steps[to_size(name)];
    out.flops_per_amplitude += flops;
  }
  return out;
}

template class DirectSteps<float>;
template class DirectSteps<double>;

}  // namespace qfast
