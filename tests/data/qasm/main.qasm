OPENQASM 3.0;
include "stdgates.inc";
include "parts/entangle.inc";
qubit[2] q;
entangle q[0], q[1];
rz(quarter) q[1];
