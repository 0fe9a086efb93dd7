/* A Bell pair and a parametrised circuit through the C interface of qfast.
 *
 *   cc c_abi.c -o c_abi -lm -I$(python -c 'import qfast; print(qfast.get_include())') \
 *      $(python -c 'import qfast; print(qfast.get_library())') \
 *      -Wl,-rpath,$(dirname $(python -c 'import qfast; print(qfast.get_library())'))
 */
#include <math.h>
#include <qfast.h>
#include <stdio.h>
#include <stdlib.h>

static void check(qfast_status status) {
  if (status == QFAST_OK) return;
  fprintf(stderr, "qfast: %s\n", qfast_last_error());
  exit(1);
}

static void bell_pair(void) {
  qfast_circuit *circuit;
  qfast_state *state;
  const int32_t pair[2] = {0, 1};
  check(qfast_circuit_create(2, &circuit));
  check(qfast_circuit_append(circuit, "h", pair, 1, NULL, 0));
  check(qfast_circuit_append(circuit, "cx", pair, 2, NULL, 0));
  check(qfast_state_create(2, QFAST_COMPLEX128, &state));
  check(qfast_state_run(state, circuit, NULL, 0));

  uint64_t outcomes[1000];
  int counts[4] = {0};
  check(qfast_state_sample(state, NULL, 2, 7, 0, 1000, outcomes)); /* seed 7, shots 0 to 999 */
  for (int i = 0; i < 1000; ++i) ++counts[outcomes[i]];
  printf("bell: 00 %d, 01 %d, 10 %d, 11 %d\n", counts[0], counts[1], counts[2], counts[3]);

  qfast_state_free(state);
  qfast_circuit_free(circuit);
}

/* <Z> after RY(theta) is cos(theta): the circuit is planned once and run for every angle. */
static void sweep(void) {
  const char *text =
      "OPENQASM 3.0; include \"stdgates.inc\"; input float theta; qubit q; ry(theta) q;";
  qfast_circuit *circuit;
  qfast_state *state;
  check(qfast_circuit_from_qasm(text, &circuit));
  check(qfast_state_create(qfast_circuit_num_qubits(circuit), QFAST_COMPLEX64, &state));
  for (int i = 0; i <= 4; ++i) {
    const double theta = 0.5 * i, one[2] = {1, 0};
    const uint64_t x = 0, z = 1;
    double value[2];
    check(qfast_state_reset(state));
    check(qfast_state_run(state, circuit, &theta, 1));
    check(qfast_state_expectation(state, &x, &z, one, 1, value));
    printf("theta %.1f: <Z> %.6f, cos %.6f\n", theta, value[0], cos(theta));
  }
  qfast_state_free(state);
  qfast_circuit_free(circuit);
}

int main(void) {
  printf("%s on %d threads\n", qfast_build_info(), (int)qfast_get_threads());
  bell_pair();
  sweep();

  qfast_state *none;
  if (qfast_run_qasm("OPENQASM 2.0;\nqreg q[2]\n", QFAST_COMPLEX128, &none) != QFAST_OK) {
    printf("refused at line %d: %s\n", (int)qfast_last_error_line(), qfast_last_error());
  }
  return 0;
}
