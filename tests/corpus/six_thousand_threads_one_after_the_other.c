// More threads than any table has room for come and go, and the leaks of the first and of the last are told.
// run: HEAPCHECK=normal -> leak direct 1001, direct 1002
#include "support.h"

static void *thread(void *number) {
    if ((intptr_t)number == 0) lose(1001);
    if ((intptr_t)number == 5999) lose(1002);
    void *block = allocate(64);
    release(block);
    return NULL;
}

int main(void) {
    for (intptr_t i = 0; i < 6000; i++) {
        pthread_t handle;
        REQUIRE(pthread_create(&handle, NULL, thread, (void *)i) == 0);
        pthread_join(handle, NULL);
    }
    scrub();
    return 0;
}
