// A thread_local object whose destructor frees and allocates while its thread goes away leaves nothing.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"
#include <string>
#include <thread>

struct Last {
    std::string text;
    void *block = nullptr;
    ~Last() {
        release(block);
        release(allocate(text.size()));
        text += std::string(500, 'y');
    }
};
static thread_local Last last;

int main() {
    for (int i = 0; i < 100; i++) {
        std::thread([] {
            last.text = std::string(200, 'x');
            last.block = allocate(1001);
        }).join();
    }
    return 0;
}
