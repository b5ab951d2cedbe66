// realloc keeps what a block holds while it grows and shrinks through all sizes.
// run: HEAPCHECK=normal -> clean
#include "support.h"

int main(void) {
    unsigned char *block = NULL;
    size_t held = 0;
    for (size_t size = 1; size < 3000000; size = size * 3 / 2 + 1) {
        block = (unsigned char *)realloc(block, size);
        for (size_t i = 0; i < held; i++) REQUIRE(block[i] == (unsigned char)(i * 31));
        for (size_t i = held; i < size; i++) block[i] = (unsigned char)(i * 31);
        held = size;
    }
    for (size_t size = held; size > 1; size = size * 2 / 3) {
        block = (unsigned char *)realloc(block, size);
        for (size_t i = 0; i < size; i++) REQUIRE(block[i] == (unsigned char)(i * 31));
    }
    release(block);
    return 0;
}
