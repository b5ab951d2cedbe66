// A realloc that fails leaves the block as it was, and it is still the program's to free.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=normal args lose -> leak direct 1001
#include "support.h"

static int drop;

static void work(void) {
    volatile size_t huge = SIZE_MAX / 2;
    char *block = (char *)allocate(1001);
    memset(block, 7, 1001);
    errno = 0;
    REQUIRE(realloc(block, huge) == NULL && errno == ENOMEM);
    for (int i = 0; i < 1001; i++) REQUIRE(block[i] == 7);
    if (!drop) release(block);
}

int main(int count, char **arguments) {
    (void)arguments;
    drop = count > 1;
    apart(work);
    return 0;
}
