#include "plan/cost_table.h"

#include <cmath>
#include <sstream>

#include "base/error.h"

namespace qfast {
namespace {

constexpr double kDearest = 1e6;

void check_price(double price, const std::string& entry) {
  if (price > 0 && price <= kDearest) return;  // false for NaN
  std::ostringstream out;
  out << entry << " is " << price << "; a price is above 0 and at most " << kDearest;
  throw Error(ErrorKind::kInput, out.str());
}

void check_costs(const PlanCosts& costs, const std::string& place) {
  if (costs.tile_bits < kMinTableTileBits || costs.tile_bits > kMaxTableTileBits) {
    throw Error(ErrorKind::kInput, place + ": tile_bits is " + std::to_string(costs.tile_bits) + "; it may be " +
                                       std::to_string(kMinTableTileBits) + " to " + std::to_string(kMaxTableTileBits));
  }
  for (std::size_t r = 0; r < costs.pass.size(); ++r) {
    check_price(costs.pass[r], place + ": pass[" + std::to_string(r) + "]");
  }
  const StepCosts& s = costs.steps;
  check_price(s.one, place + ": steps.one");
  check_price(s.controlled, place + ": steps.controlled");
  check_price(s.exchange, place + ": steps.exchange");
  check_price(s.diagonal, place + ": steps.diagonal");
  check_price(s.pairs, place + ": steps.pairs");
  check_price(s.dense_pair, place + ": steps.dense_pair");
}

}  // namespace

void check_cost_table(const CostTable& table) {
  check_costs(table.complex128, "cost table '" + table.name + "', complex128");
  check_costs(table.complex64, "cost table '" + table.name + "', complex64");
}

}  // namespace qfast
