// Three threads allocate and free in a loop while main ends: no hang, and nothing that is in flight is a leak.
// run: HEAPCHECK=normal ROUND=1 -> clean
// run: HEAPCHECK=normal ROUND=2 -> clean
// run: HEAPCHECK=normal ROUND=3 -> clean
// run: HEAPCHECK=strict ROUND=4 -> clean
// run: HEAPCHECK=normal HEAPCHECK_STOP=ptrace,stack -> clean
#include "support.h"

static void *thread(void *unused) {
    void *volatile held[64];
    for (int i = 0; i < 64; i++) held[i] = NULL;
    announce();
    for (unsigned i = 0;; i++) {
        void **place = (void **)&held[i % 64];
        release(*place);
        *place = allocate(16 + i % 3000);
    }
    return unused;
}

int main(void) {
    for (int i = 0; i < 3; i++) start_detached(thread, NULL);
    await(3);
    usleep(20000);
    return 0;
}
