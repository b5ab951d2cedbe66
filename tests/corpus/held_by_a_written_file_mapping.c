// A block whose only pointer was written into a mapping of a file is doubtful, be the mapping private or shared.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> leak 1001
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps -> leak direct 1001
// run: HEAPCHECK=normal args shared -> clean
// run: HEAPCHECK=normal HEAPCHECK_ROOTS=all,-maps args shared -> leak direct 1001
#include "support.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static int flags = MAP_PRIVATE;

static void work(void) {
    char name[] = "mapped-XXXXXX";
    int file = mkstemp(name);
    REQUIRE(file >= 0 && unlink(name) == 0 && ftruncate(file, 20 * 4096) == 0);
    // Longer than the file: touching what lies behind its end is SIGBUS.
    char *pages = mmap(NULL, 40 * 4096, PROT_READ | PROT_WRITE, flags, file, 0);
    REQUIRE(pages != MAP_FAILED);
    close(file);
    *(void **)(pages + 2 * 4096 + 16) = allocate(1001);
    pages[19 * 4096] = 1;
}

int main(int count, char **arguments) {
    if (count > 1 && arguments[1][0] == 's') flags = MAP_SHARED;
    apart(work);
    return 0;
}
