// Strict mode looks after the destructors of global objects: what they free is no leak.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"

struct Holder {
    uintptr_t hidden = 0;
    ~Holder() { release(undisguise(hidden)); }
    void hold(void *block) { hidden = disguise(block); }
};
static Holder holder;
static void *volatile seen;

static void work() {
    seen = allocate(1001);
    holder.hold(seen);
}

int main() {
    apart(work);
    return 0;
}
