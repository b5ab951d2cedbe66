// A block that a thread returned is lost when the one who joined the thread drops it.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

static void *thread(void *unused) {
    (void)unused;
    return allocate(1001);
}

static void work(void) {
    pthread_t handle;
    pthread_create(&handle, NULL, thread, NULL);
    pthread_join(handle, NULL);
}

int main(void) {
    apart(work);
    return 0;
}
