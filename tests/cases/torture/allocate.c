// Allocates, fills, compares, resizes and frees at random, and expects every new byte to be zero.
//   allocate random SEED STEPS    one thread
//   allocate threads SEED STEPS   several threads that free each other's blocks, and forks in between
//   allocate crowd COUNT          so many threads, most at the same time
//   allocate many COUNT           so many small blocks alive at once
//   allocate limits 0              sizes that nobody has, until there is no more
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 2000
#define SHARED 256
// `limits` is run with a limit below this.
#define MORE_THAN_ALLOWED (1ul << 30)

struct slot {
    unsigned char *block;
    size_t bytes;
    unsigned char fill;
};

static struct slot shared[SHARED];
static atomic_flag shared_locks[SHARED];
static int zeroes = 1;

static void fail(const char *what, const void *block, size_t bytes, size_t at) {
    fprintf(stderr, "%s: block %p of %zu bytes, at %zu\n", what, block, bytes, at);
    abort();
}

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

static void check(const struct slot *slot, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (slot->block[i] != slot->fill) fail("changed", slot->block, slot->bytes, i);
}

static void check_zero(const unsigned char *block, size_t from, size_t to) {
    if (!zeroes) return;
    for (size_t i = from; i < to; i++)
        if (block[i]) fail("not zero", block, to, i);
}

static size_t pick_bytes(uint64_t *seed) {
    uint64_t random = next_random(seed);
    switch (random % 16) {
    case 0: return (random >> 8) % 5000;
    case 1: return (random >> 8) % 70000;
    case 2: return (random >> 40) % 50 == 0 ? (random >> 8) % 5000000 : (random >> 8) % 300;
    case 3: return (random >> 8) % 1100;
    case 4: return ((random >> 8) % 70) * 16 + (random >> 20) % 3 - 1 + 1;
    case 5: return (16ul << (random >> 8) % 13) + (random >> 20) % 3 - 1;
    default: return (random >> 8) % 300;
    }
}

static void release(struct slot *slot) {
    if (!slot->block) return;
    check(slot, slot->bytes);
    free(slot->block);
    slot->block = NULL;
}

static void fill(struct slot *slot, uint64_t *seed) {
    slot->fill = (unsigned char)next_random(seed);
    memset(slot->block, slot->fill, slot->bytes);
    if (malloc_usable_size(slot->block) < slot->bytes) fail("usable size", slot->block, slot->bytes, 0);
}

static void allocate(struct slot *slot, uint64_t *seed) {
    size_t bytes = pick_bytes(seed), align = 16;
    void *block = NULL;
    switch (next_random(seed) % 8) {
    case 0: block = calloc(1, bytes); break;
    case 1: block = calloc(bytes / 8 + 1, 8); break;
    case 2:
        align = 16ul << next_random(seed) % 12;
        block = memalign(align, bytes);
        break;
    case 3:
        align = 8ul << next_random(seed) % 10;
        if (posix_memalign(&block, align, bytes)) fail("posix_memalign", NULL, bytes, align);
        break;
    case 4:
        align = 16ul << next_random(seed) % 6;
        block = aligned_alloc(align, bytes / align * align);
        bytes = bytes / align * align;
        break;
    case 5: block = realloc(NULL, bytes); break;
    default: block = malloc(bytes);
    }
    if (!block) fail("no memory", NULL, bytes, align);
    if ((uintptr_t)block % align || (uintptr_t)block % 16) fail("align", block, bytes, align);
    check_zero(block, 0, bytes);
    *slot = (struct slot){.block = block, .bytes = bytes};
    fill(slot, seed);
}

static void resize(struct slot *slot, uint64_t *seed) {
    if (!slot->block) return;
    check(slot, slot->bytes);
    size_t old = slot->bytes, bytes = pick_bytes(seed);
    if (!bytes) bytes = 1;
    unsigned char *block =
        next_random(seed) % 2 ? realloc(slot->block, bytes) : reallocarray(slot->block, bytes, 1);
    if (!block) fail("no memory", slot->block, bytes, 0);
    *slot = (struct slot){.block = block, .bytes = bytes, .fill = slot->fill};
    check(slot, old < bytes ? old : bytes);
    check_zero(block, old, bytes);
    fill(slot, seed);
}

static void with_shared(uint64_t *seed) {
    size_t index = next_random(seed) % SHARED;
    if (atomic_flag_test_and_set(&shared_locks[index])) return;
    struct slot *slot = &shared[index];
    if (slot->block && next_random(seed) % 2) resize(slot, seed);
    release(slot);
    allocate(slot, seed);
    atomic_flag_clear(&shared_locks[index]);
}

static void steps(uint64_t seed, long count, int is_threaded) {
    struct slot *slots = calloc(SLOTS, sizeof *slots);
    for (long i = 0; i < count; i++) {
        struct slot *slot = &slots[next_random(&seed) % SLOTS];
        switch (next_random(&seed) % 4) {
        case 0: resize(slot, &seed); break;
        case 1: release(slot); break;
        default:
            release(slot);
            allocate(slot, &seed);
        }
        if (is_threaded && i % 3 == 0) with_shared(&seed);
    }
    for (int i = 0; i < SLOTS; i++) release(&slots[i]);
    free(slots);
}

static long step_count;
static void *thread_steps(void *argument) {
    steps((uintptr_t)argument * 7919 + 1, step_count, 1);
    return NULL;
}

static void run_threads(uintptr_t seed) {
    pthread_t ids[6];
    for (uintptr_t i = 0; i < 6; i++) pthread_create(&ids[i], NULL, thread_steps, (void *)(seed * 10 + i));
    for (int i = 0; i < 12; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(300);
            step_count = 500;
            steps(i + 1, 3000, 0);
            pthread_t id;
            pthread_create(&id, NULL, thread_steps, (void *)5);
            // The shared blocks may be in the hands of threads that are not here.
            _exit(0);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || status) fail("child", NULL, (size_t)status, 0);
        usleep(3000);
    }
    for (int i = 0; i < 6; i++) pthread_join(ids[i], NULL);
    for (int i = 0; i < SHARED; i++) release(&shared[i]);
}

static pthread_barrier_t crowd_barrier;
static void *in_crowd(void *argument) {
    uintptr_t number = (uintptr_t)argument;
    unsigned char *block = malloc(100 + number % 900);
    memset(block, (int)number, 100);
    if (number % 2) pthread_barrier_wait(&crowd_barrier);
    return block;
}

// Odd ones wait for each other, so half of them are there at the same time.
static void crowd(size_t count) {
    pthread_t *ids = calloc(count, sizeof *ids);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    for (int round = 0; round < 2; round++) {
        pthread_barrier_init(&crowd_barrier, NULL, (unsigned)(count / 2));
        for (uintptr_t i = 0; i < count; i++) {
            int failed = pthread_create(&ids[i], &attributes, in_crowd, (void *)i);
            if (failed) {
                printf("skipped: only %zu threads: %s\n", (size_t)i, strerror(failed));
                fflush(stdout);
                _exit(77);
            }
        }
        for (uintptr_t i = 0; i < count; i++) {
            unsigned char *block;
            pthread_join(ids[i], (void **)&block);
            if (block[99] != (unsigned char)i) fail("changed", block, 100, 99);
            free(block);
        }
        pthread_barrier_destroy(&crowd_barrier);
    }
    free(ids);
}

static void many(size_t count) {
    void **blocks = malloc(count * sizeof *blocks);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = 16 + i * 7 % 49;
        if (!(blocks[i] = malloc(bytes))) fail("no memory", NULL, bytes, i);
        memcpy(blocks[i], &i, sizeof i);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu blocks, %ld MB resident\n", count, usage.ru_maxrss >> 10);
    for (size_t i = 0; i < count; i++) {
        if (memcmp(blocks[i], &i, sizeof i)) fail("changed", blocks[i], 0, i);
        free(blocks[i]);
    }
    free(blocks);
}

static void expect_refusal(const char *what, void *block) {
    if (block || errno != ENOMEM) fail(what, block, 0, (size_t)errno);
    errno = 0;
}

static void limits(void) {
    volatile size_t huge = SIZE_MAX - 100, large = 1ul << 46, half = SIZE_MAX / 2;
    errno = 0;
    expect_refusal("malloc", malloc(huge));
    expect_refusal("malloc", malloc(half));
    expect_refusal("malloc", malloc(half + 1));
    expect_refusal("malloc", malloc(large));
    expect_refusal("calloc", calloc(huge, 16));
    expect_refusal("calloc", calloc(half, 3));
    expect_refusal("calloc", calloc(1, large));
    expect_refusal("reallocarray", reallocarray(NULL, half, 3));
    expect_refusal("memalign", memalign(64, huge));
    expect_refusal("memalign", memalign(64, large));
    expect_refusal("aligned_alloc", aligned_alloc(1 << 20, half));
    expect_refusal("valloc", valloc(huge));
    expect_refusal("pvalloc", pvalloc(huge));
    char *kept = malloc(100);
    strcpy(kept, "kept");
    expect_refusal("realloc", realloc(kept, huge));
    expect_refusal("realloc", realloc(kept, large));
    expect_refusal("reallocarray", reallocarray(kept, half, 4));
    if (strcmp(kept, "kept")) fail("changed", kept, 100, 0);
    void *block = kept;
    if (posix_memalign(&block, 24, 10) != EINVAL || block != kept) fail("posix_memalign", block, 0, 0);
    if (posix_memalign(&block, 4, 10) != EINVAL || block != kept) fail("posix_memalign", block, 0, 0);
    if (posix_memalign(&block, 64, huge) != ENOMEM || block != kept) fail("posix_memalign", block, 0, 0);
    free(kept);
    // All that there is, in pieces; then all of it can be had again.
    for (size_t bytes = 40; bytes <= 100 << 20; bytes *= 50) {
        size_t counts[2] = {0, 0}, most = MORE_THAN_ALLOWED / bytes;
        for (int round = 0; round < 2; round++) {
            void **first = NULL, **next;
            while (counts[round] < most && (next = malloc(bytes))) {
                *next = (void *)first;
                first = next;
                counts[round]++;
            }
            while (first) {
                next = *first;
                free(first);
                first = next;
            }
        }
        if (counts[0] == most) fail("no limit", NULL, bytes, most);
        if (counts[1] < counts[0] - counts[0] / 10) fail("less the second time", NULL, counts[0], counts[1]);
        printf("%zu blocks of %zu bytes\n", counts[0], bytes);
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    uintptr_t number = strtoul(argv[2], NULL, 10);
    step_count = argc > 3 ? atol(argv[3]) : 100000;
    zeroes = !getenv("NOT_ZEROED");
    if (!strcmp(argv[1], "random")) steps(number * 7919 + 1, step_count, 0);
    else if (!strcmp(argv[1], "threads")) run_threads(number);
    else if (!strcmp(argv[1], "crowd")) crowd(number);
    else if (!strcmp(argv[1], "many")) many(number);
    else if (!strcmp(argv[1], "limits")) limits();
    else return 2;
    puts("done");
    return 0;
}
