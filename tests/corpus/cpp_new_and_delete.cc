// What new and new[] gave and nobody deleted leaks with its size; what delete took does not.
// run: HEAPCHECK=normal -> leak direct 1001, direct 1008, direct 1280
// build: -std=c++17
#include "support.h"

struct Wide { char bytes[1001]; };
struct alignas(64) Aligned { char bytes[1280]; };

template <typename T> static void hide(T *pointer) {
    static volatile uintptr_t hidden;
    hidden = disguise(pointer);
}

static void work() {
    hide(new Wide);
    hide(new long[126]);
    hide(new Aligned);
    delete new Wide;
    delete[] new long[99];
    delete new Aligned;
}

int main() {
    apart(work);
    return 0;
}
