OPENQASM 3.1;
#pragma vendor
@note
include "stdgates.inc"; /* a */ bit c; // b
{ const float π2 = τ * ℇ ** -2; x $1; cx $0, $1; rx(π2 - .5e-1_0 + 0x_f) $0; }
c = measure $0;
