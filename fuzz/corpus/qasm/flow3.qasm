OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q; bit[3] c; int[8] n = 0;
for int i in [0:2:2] { h q[i]; if (i == 2) { break; } }
for int i in {1, 0} x q[i];
while (n < 3) { n += 1; if (n == 2) continue; z q[n - 1]; }
c = measure q;
if (c == 5) { n = 7; x q[0]; } else if (c[1]) { y q[0]; } else reset q;
while (c[0] && n < 9) { h q[0]; c[0] = measure q[0]; n += 1; if (c[1]) break; }
switch (n) { case 1, 2 { x q; } default { switch (uint[3](c)) { case 0 { } } } }
for uint i in [1:4] { c[2] = measure q[2]; if (c[2]) continue; rx(i) q[2]; }
end;
