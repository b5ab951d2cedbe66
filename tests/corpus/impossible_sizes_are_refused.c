// Sizes that can't be are refused with ENOMEM, and bad alignments with EINVAL, as the manual says.
// run: HEAPCHECK=normal -> clean
#include "support.h"
#include <malloc.h>

#define REFUSED(call)                                  \
    do {                                               \
        errno = 0;                                     \
        REQUIRE((call) == NULL && errno == ENOMEM);    \
    } while (0)

int main(void) {
    volatile size_t huge = SIZE_MAX / 2 + 1;
    void *volatile block = NULL;
    REFUSED(allocate(huge));
    REFUSED(allocate(SIZE_MAX));
    REFUSED(calloc(huge, 2));
    REFUSED(calloc(SIZE_MAX / 8, 16));
    REFUSED(reallocarray(NULL, huge, 2));
    REFUSED(realloc(NULL, huge));
    REFUSED(memalign(4096, SIZE_MAX - 100));
    REQUIRE(posix_memalign((void **)&block, 3, 8) == EINVAL && block == NULL);
    REQUIRE(posix_memalign((void **)&block, 4, 8) == EINVAL && block == NULL);
    REQUIRE(posix_memalign((void **)&block, 24, 8) == EINVAL && block == NULL);
    REQUIRE(posix_memalign((void **)&block, 64, huge) == ENOMEM && block == NULL);
    return 0;
}
