// Of mappings that are mere address space only what was filled is looked at: at once, and without making what is not there.
// run: HEAPCHECK=normal -> clean 1001x2, 1002
// run: HEAPCHECK=strict -> leak 1001x2, 1002
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps -> leak direct 1001x2, direct 1002
#define _GNU_SOURCE
#include "support.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int file;

static void *reserve(size_t bytes, int flags) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, file, 0);
    REQUIRE(start != MAP_FAILED);
    return start;
}

static void work(void) {
    file = -1;
    char *pool = reserve((size_t)1 << 40, MAP_PRIVATE | MAP_ANONYMOUS);
    *(void **)(pool + ((size_t)700 << 30)) = allocate(1001);
    *(void **)(pool + ((size_t)1 << 40) - 8) = allocate(1001);
    file = memfd_create("ring", 0);
    size_t bytes = (size_t)64 << 30;
    REQUIRE(file >= 0 && ftruncate(file, (off_t)bytes) == 0);
    // Filled through a mapping that is gone.
    char *ring = reserve(bytes, MAP_SHARED), *window = reserve(bytes, MAP_SHARED);
    REQUIRE(window != ring);
    *(void **)(window + bytes / 3 * 2 / 8 * 8) = allocate(1002);
    munmap(window, bytes);
}

__attribute__((destructor)) static void measure(void) {
    struct rusage usage;
    struct stat status;
    getrusage(RUSAGE_SELF, &usage);
    REQUIRE(usage.ru_maxrss < 100 * 1024);
    REQUIRE(fstat(file, &status) == 0 && status.st_blocks * 512 < 1024 * 1024);
}

int main(void) {
    apart(work);
    return 0;
}
