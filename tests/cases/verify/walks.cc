// Allocates through C++: containers, callbacks from the library, exceptions, virtual calls, C in between.
#include <algorithm>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <cstdlib>

struct Base {
    virtual ~Base() = default;
    virtual int work(int depth) = 0;
};
struct Leaf : Base {
    std::string text = std::string(60, 'x');
    int work(int depth) override { return (int)(text + std::to_string(depth)).size(); }
};
struct Node : Base {
    std::vector<std::unique_ptr<Base>> kids;
    int work(int depth) override {
        int sum = 0;
        std::for_each(kids.begin(), kids.end(), [&](auto &kid) { sum += kid->work(depth + 1); });
        return sum;
    }
};

static std::unique_ptr<Base> grow(int depth) {
    if (depth == 0) return std::make_unique<Leaf>();
    auto node = std::make_unique<Node>();
    for (int i = 0; i < 3; i++) node->kids.push_back(grow(depth - 1));
    return node;
}

static int thrower(int depth) {
    std::string text(50 + depth, 'y');
    struct Cleaner {
        ~Cleaner() { std::string text(80, 'z'); }
    } cleaner;
    if (depth == 0) throw std::runtime_error(text);
    return thrower(depth - 1) + (int)text.size();
}

static int compare(const void *left, const void *right) {
    std::vector<int> copy(10, *(const int *)left);
    return copy[0] - *(const int *)right;
}

static int work(int rounds) {
    int sum = 0;
    std::map<std::string, std::vector<std::string>> words;
    for (int i = 0; i < rounds; i++) {
        auto tree = grow(i % 4);
        sum += tree->work(0);
        words["a long key that is not inline " + std::to_string(i % 50)].push_back(std::string(40, 'q'));
        try {
            sum += thrower(i % 12);
        } catch (const std::exception &error) {
            sum += std::string(error.what()).size();
        }
        std::function<int(int)> recurse = [&](int n) { return n ? recurse(n - 1) + (int)std::string(30, 'r').size() : 0; };
        sum += recurse(i % 8);
        int numbers[20];
        for (int j = 0; j < 20; j++) numbers[j] = (j * 7919 + i) % 100;
        qsort(numbers, 20, sizeof(int), compare);
        std::vector<std::string> texts;
        for (int j = 0; j < 6; j++) texts.push_back(std::to_string(numbers[j]) + " with a tail that is long");
        std::sort(texts.begin(), texts.end(), [](std::string a, std::string b) { return a < b; });
        std::ostringstream out;
        out << "number " << i << " and " << 2.5 * i;
        sum += out.str().size();
        if (i % 10 == 0) sum += std::regex_search(texts[0], std::regex("(with|of) a (t.*l)+ that"));
    }
    return sum;
}

int main(int argc, char **argv) {
    int rounds = argc > 2 ? std::atoi(argv[2]) : 100;
    int sum = work(rounds);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++) threads.emplace_back([=] { work(rounds / 4); });
    for (auto &thread : threads) thread.join();
    sum += std::async(std::launch::async, work, rounds / 4).get();
    return sum == 42;
}
