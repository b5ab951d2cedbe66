// Blocks that one thread allocates and another frees leave nothing, and are no diagnosis.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"

static void *volatile slots[1000];

static void *thread(void *unused) {
    for (int round = 0; round < 20000; round++) {
        void **slot = (void **)&slots[round % 1000];
        void *block;
        while ((block = __atomic_exchange_n(slot, NULL, __ATOMIC_SEQ_CST)) == NULL) usleep(1);
        release(block);
    }
    return unused;
}

int main(void) {
    pthread_t handle;
    pthread_create(&handle, NULL, thread, NULL);
    for (int round = 0; round < 20000; round++) {
        void **slot = (void **)&slots[round % 1000];
        void *block = allocate(1 + (size_t)round % 500);
        void *empty = NULL;
        while (!__atomic_compare_exchange_n(slot, &empty, block, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            empty = NULL;
            usleep(1);
        }
    }
    pthread_join(handle, NULL);
    return 0;
}
