/* What the C and C++ cases share: allocation that no compiler removes, and loss that leaves no stale word behind. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define NOINLINE __attribute__((noinline))
#define INLINE __attribute__((always_inline)) inline

/* Calls through these can't be folded away. */
static void *(*volatile allocate)(size_t) UNUSED = malloc;
static void (*volatile release)(void *) UNUSED = free;

/* Hides a pointer from a reader of words, and shows it again. */
#define DISGUISE ((uintptr_t)0x5a5a5a5a5a5a5a5aULL)
UNUSED static uintptr_t disguise(void *block) { return (uintptr_t)block ^ DISGUISE; }
UNUSED static void *undisguise(uintptr_t word) { return (void *)(word ^ DISGUISE); }

NOINLINE UNUSED static void scrub_stack(void) {
    volatile char waste[65536];
    for (size_t i = 0; i < sizeof waste; i++) waste[i] = 0;
}

NOINLINE UNUSED static void scrub_registers(void) {
#if defined __x86_64__
    __asm__ volatile(
        "xor %%eax, %%eax\n xor %%ebx, %%ebx\n xor %%ecx, %%ecx\n xor %%edx, %%edx\n xor %%esi, %%esi\n"
        "xor %%edi, %%edi\n xor %%r8d, %%r8d\n xor %%r9d, %%r9d\n xor %%r10d, %%r10d\n xor %%r11d, %%r11d\n"
        "xor %%r12d, %%r12d\n xor %%r13d, %%r13d\n xor %%r14d, %%r14d\n xor %%r15d, %%r15d\n"
        "pxor %%xmm0, %%xmm0\n pxor %%xmm1, %%xmm1\n pxor %%xmm2, %%xmm2\n pxor %%xmm3, %%xmm3\n"
        "pxor %%xmm4, %%xmm4\n pxor %%xmm5, %%xmm5\n pxor %%xmm6, %%xmm6\n pxor %%xmm7, %%xmm7\n"
        "pxor %%xmm8, %%xmm8\n pxor %%xmm9, %%xmm9\n pxor %%xmm10, %%xmm10\n pxor %%xmm11, %%xmm11\n"
        "pxor %%xmm12, %%xmm12\n pxor %%xmm13, %%xmm13\n pxor %%xmm14, %%xmm14\n pxor %%xmm15, %%xmm15\n"
        :
        :
        : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
          "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
          "xmm14", "xmm15", "memory");
#endif
}

/* Overwrites every register that the caller does not need and the stack below it, so that nothing stale is left. It is
 * inlined, and the stack comes last: a function may push any register to align its frame. */
INLINE UNUSED static void scrub(void) {
    scrub_registers();
    scrub_stack();
}

/* Runs `work` in a frame of its own and leaves nothing of it behind. */
INLINE UNUSED static void apart(void (*work)(void)) {
    void (*volatile opaque)(void) = work;
    opaque();
    scrub();
}

/* Allocates and writes a block, and forgets it. */
NOINLINE UNUSED static void lose_one(size_t size) {
    char *volatile block = (char *)allocate(size);
    block[0] = 1;
    block = NULL;
}

INLINE UNUSED static void lose(size_t size) {
    void (*volatile opaque)(size_t) = lose_one;
    opaque(size);
    scrub();
}

/* Threads tell that they are where the case wants them. */
static volatile int announced UNUSED;
UNUSED static void announce(void) { __atomic_add_fetch(&announced, 1, __ATOMIC_SEQ_CST); }
UNUSED static void await(int count) {
    while (__atomic_load_n(&announced, __ATOMIC_SEQ_CST) < count) usleep(500);
}

/* Waits until no other thread is left, not even one that is about to end: each is a folder of this one (proc(5)). */
UNUSED static void await_alone(void) {
    struct stat tasks;
    while (stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 3) usleep(500);
}

/* Starts a thread that nobody joins. */
UNUSED static void start_detached(void *(*work)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, work, argument) != 0) {
        perror("pthread_create");
        _exit(70);
    }
    pthread_attr_destroy(&attributes);
}

UNUSED static void pause_for_ever(void) {
    for (;;) pause();
}

/* The bytes of what the process has recorded. A check is recorded while the program stands still. */
UNUSED static long recorded(void) {
    long bytes = 0;
    const char *name = getenv("HEAPCHECK_OUT");
    DIR *folder = opendir(name ? name : ".");
    struct stat file;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (fstatat(dirfd(folder), entry->d_name, &file, 0) == 0 && S_ISREG(file.st_mode)) bytes += file.st_size;
    closedir(folder);
    return bytes;
}

/* Ends the case when something is not as it claims. */
#define REQUIRE(condition)                                                       \
    do {                                                                         \
        if (!(condition)) {                                                      \
            dprintf(2, "line %d: not so: %s\n", __LINE__, #condition);           \
            _exit(70);                                                           \
        }                                                                        \
    } while (0)

#endif
