// Signal handlers that allocate, resize and free, against the manual, while their own threads do: nobody waits for himself.
// Usage: signals MILLISECONDS THREADS FORK_EVERY. Each thread allocates where nearly every stack is a new one. Each thread has three timers, whose handlers interrupt each other as well. Each
// handler frees what it has allocated, in no order; an alarm ends a process that hangs.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HELD 300

static volatile int done;
static unsigned long handled, fork_every;
static int signals[] = {SIGUSR1, SIGUSR2, SIGPROF};

static unsigned draw(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

// Sizes of each user's own, or large: taking a block off a list and putting it there may not be interrupted by the same.
static size_t draw_size(unsigned *state, int user) {
    static const unsigned least[] = {1, 700, 3000, 9000}, most[] = {480, 2500, 8000, 30000};
    unsigned number = draw(state);
    if (number % 50 == 0) return 33000 + number % 300000;
    return least[user] + number % (most[user] - least[user]);
}

static void fail(const char *what) {
    (void)!write(2, what, strlen(what));
    _exit(1);
}

// Fills the block, which must be zero, at both ends, with a byte of its own address.
static void fill(unsigned char *block, size_t bytes) {
    if (!block) fail("no memory\n");
    if (block[0] || block[bytes - 1]) fail("not born zero\n");
    block[0] = block[bytes - 1] = (unsigned char)((uintptr_t)block >> 4) | 1;
}

static void look(unsigned char *block, size_t bytes) {
    unsigned char mark = (unsigned char)((uintptr_t)block >> 4) | 1;
    if (block[0] != mark || block[bytes - 1] != mark) fail("somebody else's block\n");
}

static void *here(size_t bytes, unsigned way);

// Two callers at each level, so that the calls on the way make a stack that nobody had before.
__attribute__((noinline)) static void *left(size_t bytes, unsigned way) {
    void *block = here(bytes, way >> 1);
    __asm__ volatile("" ::"r"(block) : "memory");
    return block;
}

__attribute__((noinline)) static void *right(size_t bytes, unsigned way) {
    void *block = here(bytes, way >> 1);
    __asm__ volatile("nop" ::"r"(block) : "memory");
    return block;
}

// `way` has its end as its highest bit.
__attribute__((noinline)) static void *here(size_t bytes, unsigned way) {
    void *block = way <= 1 ? malloc(bytes) : way & 1 ? left(bytes, way) : right(bytes, way);
    __asm__ volatile("" ::"r"(block) : "memory");
    return block;
}

// A child that allocates, too, on whatever stack its handler has interrupted.
static void fork_and_wait(unsigned *state, int user) {
    pid_t child = fork();
    if (child < 0) return;
    if (child == 0) {
        alarm(300);
        for (int i = 0; i < 20; i++) free(here(draw_size(state, user), 0x10000 | draw(state) % 0x10000));
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (status) fail("a child did not end well\n");
}

static void handler(int signal) {
    // On a crowded machine handlers may take longer than the time between them, and would never let their threads end.
    if (done) return;
    int error = errno, user = signal == SIGUSR1 ? 1 : signal == SIGUSR2 ? 2 : 3;
    unsigned state = (unsigned)__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED) * 2654435761u;
    unsigned char *blocks[4];
    size_t sizes[4];
    for (int i = 0; i < 4; i++) {
        sizes[i] = draw_size(&state, user);
        blocks[i] = draw(&state) % 9 ? here(sizes[i], 0x80 | draw(&state) % 0x80) : aligned_alloc(16384, sizes[i] = (sizes[i] + 65535) / 65536 * 65536);
        fill(blocks[i], sizes[i]);
    }
    unsigned char *longer = realloc(blocks[0], 40000 + draw(&state) % 100000);
    if (!longer) fail("no memory\n");
    if (longer[0] != ((unsigned char)((uintptr_t)blocks[0] >> 4) | 1)) fail("realloc lost content\n");
    free(longer);
    for (int i = 3; i > 0; i--) {
        look(blocks[i], sizes[i]);
        free(blocks[i]);
    }
    if (fork_every && __atomic_load_n(&handled, __ATOMIC_RELAXED) % fork_every == 0) fork_and_wait(&state, user);
    errno = error;
}

static void start_timers(timer_t *timers) {
    for (int i = 0; i < 3; i++) {
        struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signals[i]};
        event._sigev_un._tid = (int)syscall(SYS_gettid);
        long period = 150000 + 70000 * i;
        struct itimerspec times = {{0, period}, {0, period}};
        if (timer_create(CLOCK_MONOTONIC, &event, &timers[i]) || timer_settime(timers[i], 0, &times, NULL)) fail("timer\n");
    }
}

static void *work(void *argument) {
    unsigned state = (unsigned)(uintptr_t)argument;
    unsigned char *blocks[HELD] = {0};
    size_t sizes[HELD] = {0};
    timer_t timers[3];
    start_timers(timers);
    while (!done) {
        unsigned index = draw(&state) % HELD;
        if (blocks[index]) look(blocks[index], sizes[index]);
        free(blocks[index]);
        sizes[index] = draw_size(&state, 0);
        fill(blocks[index] = here(sizes[index], 0x100000 | draw(&state) % 0x100000), sizes[index]);
    }
    for (int i = 0; i < 3; i++) timer_delete(timers[i]);
    for (int i = 0; i < HELD; i++) free(blocks[i]);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 4) return 2;
    int milliseconds = atoi(arguments[1]), threads = atoi(arguments[2]);
    fork_every = (unsigned long)atol(arguments[3]);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    for (int i = 0; i < 3; i++) sigaction(signals[i], &action, NULL);
    alarm(600 + (unsigned)milliseconds / 100);
    pthread_t ids[16];
    for (int i = 0; i < threads; i++) pthread_create(&ids[i], NULL, work, (void *)(uintptr_t)(i + 1 + getpid()));
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    while (nanosleep(&pause, &pause) && errno == EINTR) {}
    done = 1;
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
    if (handled == 0) fail("no signal came\n");
    printf("%lu handlers ran\n", handled);
    return 0;
}
