OPENQASM 2.0;
include "qelib1.inc";
opaque nothing(a) x0;
gate inner(a,b) x0,x1 { cu3(a/2,-b,ln(2)) x0,x1; barrier x0,x1; U(0,0,sin(a)) x0; }
gate outer(a) x0,x1 { inner(2*a,a^2) x1,x0; CX x0,x1; }
qreg q[3]; qreg r[3];
outer(0.25) q,r; outer(1e-3) q[0],r; u0(1) q[1];
