// Teleports the state ry(1.1)|0> from `message` to `received` with measurements in the middle and gates that depend
// on them: `answer` is 1 with probability sin(0.55)^2 = 0.273, `alice` is uniform.
OPENQASM 3.0;
include "stdgates.inc";
qubit message;
qubit sent;
qubit received;
bit[2] alice;
bit answer;

ry(1.1) message;

h sent;
cx sent, received;

cx message, sent;
h message;
alice[0] = measure message;
alice[1] = measure sent;

if (alice[1]) { x received; }
if (alice[0]) { z received; }
answer = measure received;
