// A global object whose destructor drops its pointer is quiet in normal mode and a leak in strict mode.
// run: HEAPCHECK=minimal -> clean
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> leak direct 1001
#include "support.h"

struct Holder {
    void *volatile held = nullptr;
    ~Holder() {
        held = nullptr;
        scrub();
    }
};
static Holder holder;

static void work() { holder.held = allocate(1001); }

int main() {
    apart(work);
    return 0;
}
