// A block on the stack of a thread that runs on memory the program gave it is reachable, and what lies below is not a root.
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps -> leak direct 1002
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps,-stacks -> leak 1001, 1002, ...
#include "support.h"
#include <sys/mman.h>

static char *stack;

static void *thread(void *unused) {
    (void)unused;
    void *volatile held[3] = {NULL, allocate(1001), NULL};
    scrub();
    *(void **)(stack + 4096) = allocate(1002);
    scrub();
    announce();
    pause_for_ever();
    return held[1];
}

int main(void) {
    pthread_attr_t attributes;
    pthread_t handle;
    size_t size = 1 << 20;
    stack = (char *)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, size);
    REQUIRE(pthread_create(&handle, &attributes, thread, NULL) == 0);
    await(1);
    return 0;
}
