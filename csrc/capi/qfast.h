/* qfast.h: the C interface of qfast, for C, Fortran, Julia, cffi, numba … Link with libqfast.
 *
 *   qfast_circuit *bell;   qfast_state *state;   uint64_t outcomes[100];
 *   qfast_circuit_create(2, &bell);
 *   qfast_circuit_append(bell, "h", (int32_t[]){0}, 1, NULL, 0);
 *   qfast_circuit_append(bell, "cx", (int32_t[]){0, 1}, 2, NULL, 0);
 *   qfast_state_create(2, QFAST_COMPLEX128, &state);
 *   qfast_state_run(state, bell, NULL, 0);
 *   qfast_state_sample(state, NULL, 2, 7, 0, 100, outcomes);
 *   qfast_state_free(state);   qfast_circuit_free(bell);
 *
 * Conventions
 *   Qubit k is bit k of an amplitude's index. In a matrix on several qubits the first listed qubit is the least
 *   significant bit of row and column. Complex numbers are pairs (re, im).
 *   A function that can fail returns a status; everything else it returns comes through pointers, which are left
 *   untouched on failure. qfast_last_error() then says what was asked, what is wrong and what is allowed. Nothing is
 *   half done: a call that fails has changed nothing, but for QFAST_ERROR_CANCELLED and _INTERNAL.
 *   Null handles and null pointers to results are refused; no exception and no signal leaves the library.
 *
 * Threads
 *   Any number of threads may call at once. One circuit may be run by several threads at once, if none appends to it;
 *   one state belongs to one thread at a time. After fork() the child may go on with the handles it has.
 *
 * The declarations between the two marks are plain enough for cffi's cdef().
 */
#ifndef QFAST_QFAST_H_
#define QFAST_QFAST_H_

#include <stdint.h>

#if defined(QFAST_C_API) /* the library itself */
#elif defined(_WIN32)
#define QFAST_C_API __declspec(dllimport)
#elif defined(__GNUC__)
#define QFAST_C_API __attribute__((visibility("default")))
#else
#define QFAST_C_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- begin of declarations ---- */

/* A circuit: gates, and which qubit is measured into which classical bit at its end. */
typedef struct qfast_circuit qfast_circuit;

/* 2^n amplitudes. */
typedef struct qfast_state qfast_state;

typedef enum {
  QFAST_OK = 0,
  QFAST_ERROR_INPUT = 1,      /* an argument */
  QFAST_ERROR_CIRCUIT = 2,    /* an operand of an instruction: a qubit out of range or listed twice */
  QFAST_ERROR_GATE = 3,       /* a gate's name, its number of parameters, a matrix that is not unitary */
  QFAST_ERROR_PARAMETER = 4,  /* a value that is not finite, or a wrong number of values */
  QFAST_ERROR_OBSERVABLE = 5, /* a Pauli sum */
  QFAST_ERROR_QASM = 6,       /* OpenQASM text; see qfast_last_error_line() */
  QFAST_ERROR_CAPACITY = 7,   /* more memory than there is */
  QFAST_ERROR_ENGINE = 8,     /* QFAST_ISA names an instruction set that this machine lacks */
  QFAST_ERROR_CANCELLED = 9,
  QFAST_ERROR_INTERNAL = 10,   /* a bug of qfast */
  QFAST_ERROR_UNSUPPORTED = 11 /* a circuit that needs more than one run of gates: measurement in the middle, reset,
                                  control flow. The Python package runs those. */
} qfast_status;

/* Passed as an int32_t: what is neither of the two is refused, not undefined. */
typedef enum {
  QFAST_COMPLEX64 = 0, /* amplitudes are pairs of float */
  QFAST_COMPLEX128 = 1 /* pairs of double */
} qfast_precision;

/* ---- the library ---- */

QFAST_C_API const char* qfast_version(void);    /* "1.2.3" */
QFAST_C_API const char* qfast_build_info(void); /* version, compiler and build type, in words */

/* The message of the last call of this thread that failed; "" before the first. Valid until the next one. */
QFAST_C_API const char* qfast_last_error(void);

/* Place of the last QFAST_ERROR_QASM of this thread, counted from 1; 0 after other errors. */
QFAST_C_API int32_t qfast_last_error_line(void);
QFAST_C_API int32_t qfast_last_error_column(void);

/* Threads that calls of this interface use from now on, in the whole process; 0, the default: QFAST_NUM_THREADS, or as
 * many as the process may use (affinity, cgroup quota, SLURM_CPUS_PER_TASK, OMP_NUM_THREADS, MPI ranks of the node). No
 * result depends on it. */
QFAST_C_API qfast_status qfast_set_threads(int32_t threads);
QFAST_C_API int32_t qfast_get_threads(void);

/* Instruction set in use: "baseline", "avx2" or "avx512". Chosen at first use, by QFAST_ISA where that is set. */
QFAST_C_API qfast_status qfast_isa(const char** name);

/* ---- circuits ---- */

QFAST_C_API qfast_status qfast_circuit_create(int32_t num_qubits, qfast_circuit** circuit);

/* Reads OpenQASM 2 or 3 (UTF-8, zero-terminated). Measurements must stand at the end of their qubits, resets at the
 * start; else QFAST_ERROR_UNSUPPORTED. Only the built-in libraries can be included. */
QFAST_C_API qfast_status qfast_circuit_from_qasm(const char* text, qfast_circuit** circuit);

/* Null is allowed. */
QFAST_C_API void qfast_circuit_free(qfast_circuit* circuit);

QFAST_C_API int32_t qfast_circuit_num_qubits(const qfast_circuit* circuit); /* -1 for null, as below */
QFAST_C_API int32_t qfast_circuit_num_clbits(const qfast_circuit* circuit);
QFAST_C_API int64_t qfast_circuit_num_gates(const qfast_circuit* circuit);

/* Inputs of an OpenQASM 3 text, whose values qfast_state_run takes in this order. The name is valid as long as the
 * circuit; null where there is no such parameter. */
QFAST_C_API int32_t qfast_circuit_num_parameters(const qfast_circuit* circuit);
QFAST_C_API const char* qfast_circuit_parameter_name(const qfast_circuit* circuit, int32_t parameter);

/* Appends a gate by its name, for example "h", "rz", "cx", "ccx", "u", "swap", "rzz", "fsim": the qubits of its own
 * controls first, then its targets. */
QFAST_C_API qfast_status qfast_circuit_append(qfast_circuit* circuit, const char* gate, const int32_t* qubits,
                                              int32_t num_qubits, const double* parameters, int32_t num_parameters);

/* The same under further controls, which are the first num_controls of the qubits: the gate acts where control j has
 * the value of bit j of control_state. num_qubits counts all. */
QFAST_C_API qfast_status qfast_circuit_append_controlled(qfast_circuit* circuit, const char* gate, int32_t num_controls,
                                                         uint64_t control_state, const int32_t* qubits,
                                                         int32_t num_qubits, const double* parameters,
                                                         int32_t num_parameters);

/* Appends a unitary matrix on 1 to 10 qubits: 2^k x 2^k complex numbers, row by row. */
QFAST_C_API qfast_status qfast_circuit_append_matrix(qfast_circuit* circuit, const int32_t* qubits, int32_t num_qubits,
                                                     const double* matrix);

/* For each classical bit the qubit that is measured into it, or -1: num_clbits numbers. */
QFAST_C_API qfast_status qfast_circuit_measured_qubits(const qfast_circuit* circuit, int32_t* qubits);

/* ---- states ---- */

/* |0...0>. Memory is checked before it is taken. */
QFAST_C_API qfast_status qfast_state_create(int32_t num_qubits, int32_t precision, qfast_state** state);
QFAST_C_API void qfast_state_free(qfast_state* state); /* null is allowed */

/* Reads a text and runs it from |0...0>: qfast_circuit_from_qasm, qfast_state_create and qfast_state_run in one. */
QFAST_C_API qfast_status qfast_run_qasm(const char* text, int32_t precision, qfast_state** state);

QFAST_C_API qfast_status qfast_state_reset(qfast_state* state); /* back to |0...0> */
QFAST_C_API int32_t qfast_state_num_qubits(const qfast_state* state);

/* The amplitudes themselves: 2^n pairs of float or double, 64-byte aligned, readable and writable until the state is
 * freed. */
QFAST_C_API qfast_status qfast_state_amplitudes(qfast_state* state, void** amplitudes);

/* Applies a circuit of the same number of qubits to the state. values: one per parameter of the circuit. The circuit is
 * planned at its first run and may be run any number of times. */
QFAST_C_API qfast_status qfast_state_run(qfast_state* state, qfast_circuit* circuit, const double* values,
                                         int32_t num_values);

/* One gate or matrix, at once; see qfast_circuit_append. A circuit of many gates runs much faster as a circuit. */
QFAST_C_API qfast_status qfast_state_apply(qfast_state* state, const char* gate, const int32_t* qubits,
                                           int32_t num_qubits, const double* parameters, int32_t num_parameters);
QFAST_C_API qfast_status qfast_state_apply_matrix(qfast_state* state, const int32_t* qubits, int32_t num_qubits,
                                                  const double* matrix);

QFAST_C_API qfast_status qfast_state_norm_squared(const qfast_state* state, double* norm_squared);

/* Joint distribution of distinct qubits, 2^num_qubits numbers; qubits[j] is bit j of the index. */
QFAST_C_API qfast_status qfast_state_probabilities(const qfast_state* state, const int32_t* qubits, int32_t num_qubits,
                                                   double* probabilities);

/* Outcomes of num_shots shots: bit j is qubits[j], or 0 where that is negative; null qubits: all, in order, and
 * num_bits is their number. At most 64 bits. Shot i depends on the state, the seed and first_shot + i alone. */
QFAST_C_API qfast_status qfast_state_sample(const qfast_state* state, const int32_t* qubits, int32_t num_bits,
                                            uint64_t seed, uint64_t first_shot, int64_t num_shots, uint64_t* outcomes);

/* <state| sum of c_j P_j |state>. P_j has X on the qubits of x_masks[j], Z on those of z_masks[j], Y on those of both.
 * coefficients: num_terms pairs (re, im); result: one pair. */
QFAST_C_API qfast_status qfast_state_expectation(const qfast_state* state, const uint64_t* x_masks,
                                                 const uint64_t* z_masks, const double* coefficients, int64_t num_terms,
                                                 double* result);

/* ---- end of declarations ---- */

#ifdef __cplusplus
}
#endif

#endif /* QFAST_QFAST_H_ */
