// What the program has left below the place where it ends holds nothing, in whatever frames of libc that lies by then.
// run: HEAPCHECK=normal -> leak 1001x64
// run: HEAPCHECK=strict -> leak 1001x64
// run: HEAPCHECK=normal args exit -> leak 1001x64
// run: HEAPCHECK=strict args exit -> leak 1001x64
// run: HEAPCHECK=strict args twice -> leak 1001x64
// run: HEAPCHECK=strict args thread -> leak 1001x64
#include "support.h"

// Every word of some kilobytes of the stack is one of the blocks.
__attribute__((noinline)) static void litter(void) {
    char *volatile words[4096];
    for (int number = 0; number < 64; number++) words[number] = malloc(1001);
    for (int number = 64; number < 4096; number++) words[number] = words[number % 64];
}

static void exit_again(void) {
    litter();
    exit(0);
}

static void *end(void *nothing) {
    (void)nothing;
    litter();
    exit(0);
}

int main(int count, char **arguments) {
    if (count == 1) {
        litter();
        return 0;
    }
    if (strcmp(arguments[1], "exit") == 0) {
        litter();
        exit(0);
    }
    if (strcmp(arguments[1], "twice") == 0) {
        atexit(exit_again);
        return 0;
    }
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, end, NULL) == 0);
    pthread_join(thread, NULL);
    return 1;
}
