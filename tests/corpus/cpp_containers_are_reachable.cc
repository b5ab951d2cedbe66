// The contents of containers in global objects are reachable, and gone after their destructors.
// run: HEAPCHECK=normal -> clean
// run: HEAPCHECK=strict -> clean
#include "support.h"
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

static std::map<int, std::string> tree;
static std::unordered_map<std::string, std::vector<int>> table;
static std::vector<std::shared_ptr<std::string>> shared;

static void work() {
    for (int i = 0; i < 1000; i++) {
        tree[i] = std::string(100, 'x');
        table[std::string(50, 'y') + std::to_string(i)] = std::vector<int>(20, i);
        shared.push_back(std::make_shared<std::string>(200, 'z'));
    }
}

int main() {
    apart(work);
    return 0;
}
