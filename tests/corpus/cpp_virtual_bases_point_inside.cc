// An object that is known only by a pointer to its second base is reachable.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-globals -> leak 1024, ...
#include "support.h"

struct First { virtual ~First() {} char bytes[500]; };
struct Second { virtual ~Second() {} char bytes[496]; };
struct Both : First, Second { char *volatile unused[1]; };
static_assert(sizeof(Both) == 1024, "the size that the run line names");

static Second *volatile held;

static void work() { held = new Both; }

int main() {
    apart(work);
    return 0;
}
