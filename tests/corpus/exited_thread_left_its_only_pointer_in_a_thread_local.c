// What only a thread-local of an exited thread points at is lost, whether the thread was joined or not.
// The stack of an exited thread stays mapped for reuse, with its thread-locals in it.
// run: HEAPCHECK=normal -> leak direct 1001, direct 1002
// run: HEAPCHECK=strict -> leak 1001, 1002
#include "support.h"

static __thread void *volatile held;

static void *thread(void *size) {
    held = allocate((size_t)size);
    announce();
    return NULL;
}

int main(void) {
    pthread_t handle;
    pthread_create(&handle, NULL, thread, (void *)1001);
    pthread_join(handle, NULL);
    start_detached(thread, (void *)1002);
    await(2);
    await_alone();
    scrub();
    return 0;
}
