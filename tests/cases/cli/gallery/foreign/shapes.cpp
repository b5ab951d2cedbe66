// A C++ library: a class with members, an array, a shared_ptr cycle, a template.
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace shapes {

struct Drawing {
    std::string title;
    std::vector<std::string> layers;
};

struct Node {
    std::shared_ptr<Node> peer;
    int number = 0;
};

template <typename T> class Pool {
public:
    T *take() { return new T(); }
};

Drawing *open_drawing(const char *title) {
    auto *drawing = new Drawing{title, {}};
    for (int layer = 0; layer < 3; layer++)
        drawing->layers.push_back("a layer with a name that is too long to be stored in place");
    return drawing;
}

void link_nodes() {
    auto a = std::make_shared<Node>(), b = std::make_shared<Node>();
    a->peer = b;
    b->peer = a;
}

} // namespace shapes

extern "C" void drawing_open(const char *title) { shapes::open_drawing(title); }
extern "C" void nodes_link() { shapes::link_nodes(); }
extern "C" void samples_read(int count) {
    double *samples = new double[count];
    samples[0] = 1;
}
extern "C" void pool_take() { shapes::Pool<shapes::Node>().take(); }
extern "C" void index_build() {
    auto *index = new std::map<int, std::string>();
    for (int key = 0; key < 20; key++)
        (*index)[key] = "a value that is too long to be stored in place";
}
