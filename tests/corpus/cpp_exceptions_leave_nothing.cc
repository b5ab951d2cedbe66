// Exceptions that were thrown and caught, in main and in threads, leave no leak.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"
#include <stdexcept>
#include <string>
#include <thread>

NOINLINE static void fail(int depth) {
    std::string ballast(200, 'x');
    if (depth == 0) throw std::runtime_error(ballast);
    fail(depth - 1);
}

static void work() {
    for (int i = 0; i < 100; i++) {
        try {
            fail(10);
        } catch (const std::exception &) {
        }
    }
}

int main() {
    work();
    std::thread(work).join();
    return 0;
}
