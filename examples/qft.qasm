// The quantum Fourier transform of 16 qubits, applied to a state of period 8: the outcomes are multiples of 8192.
OPENQASM 3.0;
include "stdgates.inc";
qubit[16] q;
bit[16] c;

for uint i in [3:15] {
  h q[i];
}

for uint j in [0:14] {
  h q[15 - j];
  for uint k in [0:14 - j] {
    cp(pi / 2 ** (15 - j - k)) q[k], q[15 - j];
  }
}
h q[0];
for uint i in [0:7] {
  swap q[i], q[15 - i];
}
c = measure q;
