"""From a circuit to amplitudes, probabilities, expectation values and counts."""

import qfast

# Qubit k is bit k of the amplitude index. Gate methods chain.
circuit = qfast.Circuit(3).h(0).cx(0, 1).cx(1, 2).rz(0.4, 2).h(2)
print(circuit.draw())

state = qfast.simulate(circuit)
print("amplitudes of |000> and |100>:", state.amplitude(["000", "100"]))
print("distribution of qubit 2:", state.probabilities([2]))
print("<ZZI>:", state.expectation(qfast.PauliSum([("ZZ", [1, 2], 1.0)])))
print("entropy of qubit 0:", state.entropy([0]))

# The same seed gives the same shots, whatever the engine's number of threads.
print("counts:", state.sample(1000, seed=7).get_counts())

# Measurements in the middle and decisions on them: an x in place of a reset.
c = qfast.Circuit(1, 2).h(0).measure(0, 0)
c.if_test((0, 1), qfast.Circuit(1, 2).x(0)).measure(0, 1)
result = qfast.sample(c, shots=1000, seed=7)
print("first bit random, second bit 0:", result.get_counts())
print("made by", result.metadata["engine"], result.metadata["isa"])
