// A C++ program that does nothing is clean in every mode: the library's emergency pool is immortal.
// run: HEAPCHECK=minimal -> clean
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
// run: HEAPCHECK=draconian -> clean
// run: HEAPCHECK=local -> clean
#include <iostream>
int main() {
    std::cout << "nothing\n";
    return 0;
}
