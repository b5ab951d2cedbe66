// Every function of the malloc family works as the first thing that a thread does.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"
#include <malloc.h>

static void *block;

static void *do_malloc(void *unused) { return (void)unused, block = allocate(100), NULL; }
static void *do_free(void *unused) { return release(block), unused; }
static void *do_calloc(void *unused) { return block = calloc(3, 50), unused; }
static void *do_realloc(void *unused) { return block = realloc(block, 5000), unused; }
static void *do_usable(void *unused) { return malloc_usable_size(block) ? unused : NULL; }
static void *do_memalign(void *unused) { return posix_memalign(&block, 512, 100), unused; }
static void *do_reallocarray(void *unused) { return block = reallocarray(block, 10, 100), unused; }
static void *do_large(void *unused) { return block = allocate(1 << 20), unused; }

int main(void) {
    void *(*steps[])(void *) = {do_malloc,   do_free,         do_calloc, do_realloc, do_usable, do_free, do_memalign,
                                do_realloc,  do_free,         do_malloc, do_reallocarray,       do_free, do_large,
                                do_realloc,  do_free};
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            pthread_t handle;
            pthread_create(&handle, NULL, steps[i], NULL);
            pthread_join(handle, NULL);
        }
    }
    return 0;
}
