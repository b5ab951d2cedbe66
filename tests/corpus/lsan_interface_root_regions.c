// Root regions that are registered through LeakSanitizer's interface hold what they point at, until they are unregistered.
// run: HEAPCHECK=strict -> leak 1002
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps -> leak 1002
#include "support.h"
#include <sys/mman.h>

void __lsan_register_root_region(const void *, size_t) __attribute__((weak));
void __lsan_unregister_root_region(const void *, size_t) __attribute__((weak));

static void work(void) {
    char *pages = (char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(void **)pages = allocate(1001);
    *(void **)(pages + 4096) = allocate(1002);
    if (!__lsan_register_root_region) return;
    __lsan_register_root_region(pages, 4096);
    __lsan_register_root_region(pages + 4096, 4096);
    __lsan_unregister_root_region(pages + 4096, 4096);
}

int main(void) {
    apart(work);
    return 0;
}
