// A key's destructor that frees its value, and allocates while it does, leaves no leak.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"

static pthread_key_t key;

static void destroy(void *value) {
    void *again = allocate(1002);
    release(again);
    release(value);
}

static void *thread(void *unused) {
    pthread_setspecific(key, allocate(1001));
    return unused;
}

int main(void) {
    pthread_key_create(&key, destroy);
    for (int i = 0; i < 20; i++) {
        pthread_t handle;
        pthread_create(&handle, NULL, thread, NULL);
        pthread_join(handle, NULL);
    }
    return 0;
}
