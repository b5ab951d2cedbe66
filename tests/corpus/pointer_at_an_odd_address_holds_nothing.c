// A pointer that is stored across word boundaries is not seen: only aligned words are read.
// run: HEAPCHECK=normal -> leak direct 1001
#include "support.h"

static volatile struct { char odd; char word[16]; } __attribute__((aligned(8))) packed;

static void work(void) {
    void *block = allocate(1001);
    for (int i = 0; i < 8; i++) packed.word[2 + i] = (char)((uintptr_t)block >> (8 * i));
}

int main(void) {
    apart(work);
    return packed.odd;
}
