// What a thread allocates between disable and enable is no leak, nor is what it points at; pairs nest, and they are the thread's own.
// run: HEAPCHECK=normal -> leak direct 1002, direct 1003
#include "heapcheck.h"
#include "support.h"

static void *thread(void *unused) {
    lose(1003);
    return unused;
}

static void work(void) {
    heapcheck_disable();
    heapcheck_disable();
    void **block = (void **)allocate(1001);
    heapcheck_enable();
    lose(999);
    pthread_t handle;
    pthread_create(&handle, NULL, thread, NULL);
    pthread_join(handle, NULL);
    heapcheck_enable();
    block[3] = allocate(500);
    lose(1002);
}

int main(void) {
    apart(work);
    return 0;
}
