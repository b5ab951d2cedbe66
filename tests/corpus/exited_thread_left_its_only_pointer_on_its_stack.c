// What only the stack of an exited thread points at is lost.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

static void *thread(void *unused) {
    void *volatile held[64];
    for (int i = 0; i < 64; i++) held[i] = NULL;
    held[20] = allocate(1001);
    return unused;
}

int main(void) {
    pthread_t handle;
    pthread_create(&handle, NULL, thread, NULL);
    pthread_join(handle, NULL);
    scrub();
    return 0;
}
