OPENQASM 3.0;
include "stdgates.inc";
gate g(a) x0, x1 { h x0; ctrl @ rx(a) x0, x1; gphase(a/2); for int i in [1:2] { p(i*a) x1; } }
qubit[5] q;
ctrl @ negctrl(2) @ inv @ g(0.3) q[0], q[1], q[2], q[3], q[4];
pow(1/2) @ x q[0]; pow(-2) @ g(0.1) q[0], q[1]; pow(0.3) @ rz(7.5) q; inv @ pow(0.5) @ h q[0];
ctrl(2) @ gphase(0.5) q[0], q[1]; negctrl @ swap q[0], q[1], q[2];
