// What libc has copied last holds nothing while it waits in a system call, though it stays in vector registers.
// run: HEAPCHECK=normal -> leak 1001x64
// run: HEAPCHECK=normal HEAPCHECK_STOP=ptrace,stack -> leak 1001x64
// static: no, code of libc can't be told from the program's there
#include "support.h"

static uintptr_t hidden[64];

static void lose_many(void) {
    for (int number = 0; number < 64; number++) hidden[number] = disguise(malloc(1001));
}

// Copies what leads to the blocks, which leaves it in whatever registers libc copies with, and sleeps in libc.
static void *thread(void *unused) {
    volatile uintptr_t from[64], to[64];
    void *(*volatile copy)(void *, const void *, size_t) = memcpy;
    for (int number = 0; number < 64; number++) from[number] = (uintptr_t)undisguise(hidden[number]);
    copy((void *)to, (const void *)from, sizeof from);
    for (int number = 0; number < 64; number++) from[number] = to[number] = 0;
    scrub_registers();
    announce();
    for (;;) pause();
    return unused;
}

int main(void) {
    apart(lose_many);
    start_detached(thread, NULL);
    await(1);
    return 0;
}
