// A block that a thread lost before it was joined is a leak.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

static void *thread(void *unused) {
    lose(1001);
    return unused;
}

int main(void) {
    pthread_t handle;
    pthread_create(&handle, NULL, thread, NULL);
    pthread_join(handle, NULL);
    scrub();
    return 0;
}
