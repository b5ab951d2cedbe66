// The value that an exited thread left under a key without a destructor is lost.
// run: HEAPCHECK=normal -> leak 1001, 1002, ...
#include "support.h"

static pthread_key_t first, late;

static void *thread(void *unused) {
    pthread_setspecific(first, allocate(1001));
    pthread_setspecific(late, allocate(1002));
    return unused;
}

int main(void) {
    pthread_t handle;
    pthread_key_create(&first, NULL);
    for (int i = 0; i < 40; i++) pthread_key_create(&late, NULL);
    pthread_create(&handle, NULL, thread, NULL);
    pthread_join(handle, NULL);
    scrub();
    return 0;
}
