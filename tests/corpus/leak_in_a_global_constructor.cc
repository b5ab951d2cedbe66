// What the constructor of a global object lost is quiet in minimal mode and a leak in normal mode.
// run: HEAPCHECK=minimal -> clean
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

struct Early {
    Early() { lose(1001); }
};
static Early early;

int main() { return 0; }
